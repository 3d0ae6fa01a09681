import NIOCore
import ProtoFraming
import ProtoMessages
import Testing

@testable import ProtoRPC

/// What the client makes of a server that speaks the framing by hand.
@Suite(.timeLimit(.minutes(1))) struct ClientProtocolTests {
    private let message = Envelope.KeyValue(key: "k")

    @Test("G2-01 G2-04 G3-03 a request on the wire is what the generated types encode, ids are 1, 3, 5")
    func requestBytes() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                for streamID: UInt32 in [1, 3, 5] {
                    let frame = try #require(try await peer.nextFrame())
                    #expect(frame.streamID == streamID)
                    #expect(frame.type == .request)
                    #expect(frame.flags == [])
                    let envelope = try Envelope.Request(serialized: frame.data)
                    #expect(envelope.service == echo.service)
                    #expect(envelope.method == echo.name)
                    #expect(envelope.payload == (try message.serialized()))
                    #expect(envelope.metadata == [Envelope.KeyValue(key: "tenant", value: "T")])
                    #expect((1...9_000_000_000).contains(envelope.timeoutNano))
                    #expect(frame.data == (try envelope.serialized()))
                    try await peer.send(try response(streamID, message))
                }
            }
        } client: { client in
            for _ in 0..<3 {
                let options = CallOptions(timeout: .seconds(9), metadata: [("Tenant", "T")])
                _ = try await client.echo(message, options: options)
            }
        }
    }

    @Test("G5-01 ids of concurrent calls rise on the wire")
    func concurrentIDs() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                var last: UInt32?
                for _ in 0..<500 {
                    let streamID = try #require(try await peer.nextFrame()).streamID
                    #expect(streamID == (last ?? 0) + (last == nil ? 1 : 2))
                    last = streamID
                    try await peer.send(try response(streamID, message))
                }
            }
        } client: { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<500 {
                    group.addTask { _ = try await client.echo(message) }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("G3-02 an absent status and code 0 are success, unknown codes are UNKNOWN")
    func status() async throws {
        let payload = try self.message.serialized()
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                for status in [nil, Envelope.Status(), Envelope.Status(code: 99, message: "odd")] {
                    let streamID = try #require(try await peer.nextFrame()).streamID
                    let data = try Envelope.Response(status: status, payload: payload).serialized()
                    try await peer.send(Frame(streamID: streamID, type: .response, data: data))
                }
            }
        } client: { client in
            for _ in 0..<2 {
                let answer = try await client.echo(message)
                #expect(answer == message)
            }
            let error = await failure { try await client.echo(message) }
            #expect(error == RPCError(code: .unknown, message: "odd"))
        }
    }

    @Test("G4-03 frames for streams that are over, of unknown types or meant for servers are passed over")
    func strayFrames() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                #expect(try await peer.nextFrame()?.streamID == 1)
                try await peer.send(
                    Frame(streamID: 99, type: .response),
                    Frame(streamID: 99, type: .data),
                    Frame(streamID: 1, type: .request),
                    Frame(streamID: 1, type: FrameType(rawValue: 7)),
                    try response(1, message),
                    Frame(streamID: 1, type: .response)
                )
                #expect(try await peer.nextFrame()?.streamID == 3)
                try await peer.send(try response(3, message))
            }
        } client: { client in
            for _ in 0..<2 {
                let answer = try await client.echo(message)
                #expect(answer == message)
            }
        }
    }

    @Test("an answer that is no envelope, no message or a stream is INTERNAL; one too long is RESOURCE_EXHAUSTED")
    func badAnswers() async throws {
        let noise = ByteBuffer(bytes: [0xff, 0xff, 0xff])
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                let noMessage = try Envelope.Response(payload: noise).serialized()
                let tooLong = ByteBuffer(repeating: 0, count: 4 << 20 + 1)
                for (streamID, type, data) in [
                    (UInt32(1), FrameType.response, noise), (3, .response, noMessage), (5, .data, noise),
                    (7, .response, tooLong),
                ] {
                    #expect(try await peer.nextFrame()?.streamID == streamID)
                    try await peer.send(Frame(streamID: streamID, type: type, data: data))
                }
                #expect(try await peer.nextFrame()?.streamID == 9)
                try await peer.send(try response(9, message))
            }
        } client: { client in
            for code in [RPCStatus.Code.internal, .internal, .internal, .resourceExhausted] {
                let error = await failure { try await client.echo(message) }
                #expect(error?.code == code)
            }
            let answer = try await client.echo(message)
            #expect(answer == message)
        }
    }

    @Test("G5-03 a frame too long to skip ends the connection and its calls")
    func tooLongToSkip() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                _ = try await peer.nextFrame()
                var header = ByteBuffer()
                FrameHeader(length: .max, streamID: 1, type: .response).write(into: &header)
                try await peer.send(header)
                #expect(try await peer.nextFrame() == nil)
            }
        } client: { client in
            let error = await failure { try await client.echo(message) }
            #expect(error?.code == .unavailable)
            #expect(error?.notSent == false)
        }
    }

    @Test func aConnectionLostMidCallFailsEveryCallOnItAsSent() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                _ = try await peer.nextFrame()
                _ = try await peer.nextFrame()
            }
        } client: { client in
            await withTaskGroup(of: RPCError?.self) { group in
                for _ in 0..<2 {
                    group.addTask { await failure { try await client.echo(message) } }
                }
                for await error in group {
                    #expect(error?.code == .unavailable)
                    #expect(error?.notSent == false)
                }
            }
        }
    }

    @Test("G5-07 cancelling the caller's task ends the wait at once; the late answer is dropped")
    func cancellation() async throws {
        let stage = Stage()
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                #expect(try await peer.nextFrame()?.streamID == 1)
                stage.tell("received")
                #expect(try await peer.nextFrame()?.streamID == 3)
                try await peer.send(try response(1, Envelope.KeyValue(key: "late")), try response(3, message))
            }
        } client: { client in
            await withTaskGroup(of: RPCError?.self) { group in
                group.addTask { await failure { try await client.echo(message) } }
                #expect(await stage.next() == "received")
                group.cancelAll()
                for await error in group {
                    #expect(error?.code == .cancelled)
                    #expect(error?.notSent == false)
                }
            }
            let answer = try await client.echo(message)
            #expect(answer == message)
        }
    }

    @Test func aCallOfACancelledTaskIsNotSent() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                _ = try await client.echo()
                await withTaskGroup(of: RPCError?.self) { group in
                    group.cancelAll()
                    group.addTask { await failure { try await client.echo(message) } }
                    for await error in group {
                        #expect(error?.code == .cancelled)
                        #expect(error?.notSent == true)
                    }
                }
            }
        }
    }

    @Test("G2-04 a connection whose ids run out is replaced before they do")
    func wornOut() async throws {
        try await withScriptedServer(configure: { $0.streamIDs = 1..<5 }) { listener in
            for _ in 0..<3 {
                try await listener.accept { peer in
                    for streamID: UInt32 in [1, 3] {
                        #expect(try await peer.nextFrame()?.streamID == streamID)
                        try await peer.send(try response(streamID, message))
                    }
                    // The client closes it once its last call is answered.
                    #expect(try await peer.nextFrame() == nil)
                }
            }
        } client: { client in
            for _ in 0..<6 {
                let answer = try await client.echo(message)
                #expect(answer == message)
            }
        }
    }

    @Test func moreCallsInFlightThanAllowedFailUnsent() async throws {
        let stage = Stage()
        try await withScriptedServer(configure: { $0.maximumCallsInFlight = 1 }) { listener in
            try await listener.accept { peer in
                let streamID = try #require(try await peer.nextFrame()).streamID
                stage.tell("received")
                await stage.curtain.waitUntilOpen()
                try await peer.send(try response(streamID, message))
            }
        } client: { client in
            try await withThrowingTaskGroup(of: Envelope.KeyValue.self) { group in
                group.addTask { try await client.echo(message) }
                #expect(await stage.next() == "received")
                let error = await failure { try await client.echo(message) }
                #expect(error?.code == .resourceExhausted)
                #expect(error?.notSent == true)
                stage.curtain.open()
                let answer = try await group.next()
                #expect(answer == message)
            }
        }
    }
}
