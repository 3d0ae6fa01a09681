import NIOCore
import ProtoFraming
import ProtoMessages
import Testing

@testable import ProtoRPC

/// Streams between our client and our server, and between our client and a server that the test plays.
@Suite(.timeLimit(.minutes(1))) struct ClientStreamTests {
    private typealias Methods = StreamMethods
    private typealias Message = StreamMethods.Message

    // MARK: - Our own server

    @Test("G4 a server stream's messages come in order, then its end")
    func serverStream() async throws {
        try await self.withPair { client in
            let keys = try await client.withStream(Methods.server, Message(key: "a")) { messages in
                var keys: [String] = []
                for try await message in messages { keys.append(message.key) }
                return keys
            }
            #expect(keys == ["a", "a"])
        }
    }

    @Test("G4 a client stream is answered once", arguments: [0, 1, 500])
    func clientStream(_ count: Int) async throws {
        try await self.withPair { client in
            let answer = try await client.withStream(Methods.client) { writer in
                for _ in 0..<count { try await writer.send(Message()) }
            }
            #expect(answer.key == "\(count)")
        }
    }

    @Test("G4 both sides of a bidirectional stream talk in turns")
    func bidirectional() async throws {
        try await self.withPair { client in
            try await client.withStream(Methods.both) { writer, messages in
                var answers = messages.makeAsyncIterator()
                for index in 0..<100 {
                    try await writer.send(Message(key: "\(index)"))
                    #expect(try await answers.next()?.key == "\(index)")
                }
                writer.finish()
                writer.finish()
                #expect(try await answers.next() == nil)
                let error = await failure { try await writer.send(Message()) }
                #expect(error?.code == .failedPrecondition)
            }
        }
    }

    @Test("G4 a handler's error is the error of the stream, whichever its kind")
    func errors() async throws {
        try await self.withPair { client in
            let bad = Message(key: "fail")
            let expected = RPCError(code: .aborted, message: "no")
            let first = await failure {
                try await client.withStream(Methods.server, bad) { messages in
                    for try await _ in messages {}
                }
            }
            #expect(first == expected)
            let second = await failure {
                try await client.withStream(Methods.client) { try await $0.send(bad) }
            }
            #expect(second == expected)
            let third = await failure {
                try await client.withStream(Methods.both) { writer, messages in
                    try await writer.send(bad)
                    for try await _ in messages {}
                }
            }
            #expect(third == expected)
        }
    }

    @Test("G5-02 an unknown streaming method is UNIMPLEMENTED, and so is a stream to a unary one")
    func unimplemented() async throws {
        try await self.withPair { client in
            for name in ["No", "U"] {
                let method = RPCBidirectionalMethod<Message, Message>(service: Methods.service, name: name)
                let error = await failure {
                    try await client.withStream(method) { _, messages in
                        for try await _ in messages {}
                    }
                }
                #expect(error?.code == .unimplemented, "\(name)")
            }
        }
    }

    @Test("G5-04 a message that does not fit fails where it is sent, and the stream goes on")
    func oversized() async throws {
        try await self.withPair { client in
            let answer = try await client.withStream(Methods.client) { writer in
                let error = await failure {
                    try await writer.send(Message(value: String(repeating: "x", count: 4 << 20)))
                }
                #expect(error?.code == .resourceExhausted)
                try await writer.send(Message())
            }
            #expect(answer.key == "1")
        }
    }

    @Test("G5-05 a client that leaves messages waiting holds the server back and loses none")
    func slowReader() async throws {
        let stage = Stage()
        try await self.withPair(router: Self.producer(of: 1_000, stage), patience: .seconds(600)) { client in
            try await client.withStream(Methods.server, Message()) { messages in
                #expect(await stage.next() == "sent")
                // The connection is held by then or about to be: a unary call waits behind the stream, not for ever.
                var expected = 0
                for try await message in messages {
                    #expect(message.key == "\(expected)")
                    expected += 1
                }
                #expect(expected == 1_000)
            }
            _ = try await client.call(Methods.unary, Message())
        }
    }

    @Test("G5-05 a client without patience fails the stream behind 64 messages, and other calls go on")
    func impatientReader() async throws {
        let stage = Stage()
        try await self.withPair(router: Self.producer(of: 1_000, stage), patience: .zero) { client in
            try await client.withStream(Methods.server, Message()) { messages in
                #expect(await stage.next() == "sent")
                // Answered behind all messages of the stream.
                _ = try await client.call(Methods.unary, Message())
                var count = 0
                let error = await failure {
                    for try await _ in messages { count += 1 }
                }
                #expect(count == 64)
                #expect(error?.code == .resourceExhausted)
            }
        }
    }

    @Test("G6-03 leaving a stream cancels its handler where the server has the Session service")
    func leaving() async throws {
        let stage = Stage()
        try await self.withPair(router: Self.waiter(stage), usesSession: true) { client in
            try await client.untilGreeted()
            try await client.withStream(Methods.server, Message()) { messages in
                var iterator = messages.makeAsyncIterator()
                _ = try await iterator.next()
            }
            #expect(await stage.next() == "cancelled")
            let error = await failure {
                try await client.withStream(Methods.server, Message()) { messages in
                    var iterator = messages.makeAsyncIterator()
                    _ = try await iterator.next()
                    throw RPCError(code: .aborted, message: "")
                }
            }
            #expect(error?.code == .aborted)
            #expect(await stage.next() == "cancelled")
        }
    }

    @Test("a cancelled task stops waiting for its stream and cancels the handler")
    func cancelledTask() async throws {
        let stage = Stage()
        try await self.withPair(router: Self.waiter(stage), usesSession: true) { client in
            try await client.untilGreeted()
            let error = try await withThrowingTaskGroup(of: RPCError?.self) { group in
                let began = Curtain()
                group.addTask {
                    await failure {
                        try await client.withStream(Methods.server, Message()) { messages in
                            for try await _ in messages { began.open() }
                        }
                    }
                }
                await began.waitUntilOpen()
                group.cancelAll()
                return try await group.next() ?? nil
            }
            #expect(error?.code == .cancelled)
            #expect(await stage.next() == "cancelled")
        }
    }

    @Test("a stream's deadline ends it on both sides")
    func deadline() async throws {
        let stage = Stage()
        try await self.withPair(router: Self.waiter(stage)) { client in
            let error = await failure {
                let options = CallOptions(timeout: .milliseconds(200))
                try await client.withStream(Methods.server, Message(), options: options) { messages in
                    for try await _ in messages {}
                }
            }
            #expect(error?.code == .deadlineExceeded)
        }
        // Unless it was over before the handler began, the handler was cancelled: the server could not stop otherwise.
    }

    // MARK: - A server that the test plays

    @Test("G5-12 G4-01 what the client sends, frame by frame")
    func frames() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                guard let open = try await peer.nextFrame() else { return }
                #expect(open.type == .request)
                #expect(open.flags.rawValue == 0x06)
                let envelope = try Envelope.Request(serialized: open.data)
                #expect(envelope.service == Methods.service && envelope.method == "B")
                #expect(envelope.payload.readableBytes == 0)
                #expect(envelope.timeoutNano > 0, "G5-07 a timeout is always sent")
                #expect(envelope.metadata == [Envelope.KeyValue(key: "tenant", value: "t")])
                let expected = bytes(
                    "00000003 00000001 03 00  0a0161   00000000 00000001 03 00   00000000 00000001 03 05"
                )
                var sent = ByteBuffer()
                for _ in 0..<3 { try await peer.nextFrame()?.write(into: &sent) }
                #expect(sent == expected)
                try await peer.send(bytes("00000000 00000001 03 00   00000000 00000001 03 05"))
                // G4-03 what follows is nobody's.
                try await peer.send(try Methods.data(1, "late"), try response(1, Message(key: "late")))
                _ = try await peer.nextFrame()
            }
        } client: { client in
            let options = CallOptions(metadata: [("Tenant", "t")])
            try await client.withStream(Methods.both, options: options) { writer, messages in
                try await writer.send(Message(key: "a"))
                try await writer.send(Message())
                writer.finish()
                var keys: [String] = []
                for try await message in messages { keys.append(message.key) }
                #expect(keys == [""], "G2-06 an empty message is one")
            }
        }
    }

    @Test("G2-05 a server stream opens with 0x01 and its message; G5-07 leaving it sends nothing to a stock server")
    func serverStreamFrames() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                let open = try await peer.nextFrame()
                #expect(open?.flags.rawValue == 0x01)
                try await peer.send(try Methods.data(1, "a"))
                let next = try await peer.nextFrame()
                #expect(next?.streamID == 3 && next?.type == .request)
                try await peer.send(try Methods.data(1, "late"), try response(3, Message(key: "b")))
                _ = try await peer.nextFrame()
            }
        } client: { client in
            try await client.withStream(Methods.server, Message(key: "a")) { messages in
                var iterator = messages.makeAsyncIterator()
                _ = try await iterator.next()
            }
            #expect(try await client.call(Methods.unary, Message()).key == "b")
        }
    }

    @Test("a connection that is cut fails its streams behind the messages that came")
    func connectionCut() async throws {
        try await withScriptedServer { listener in
            try await listener.accept { peer in
                _ = try await peer.nextFrame()
                try await peer.send(try Methods.data(1, "a"))
                try await peer.close()
            }
        } client: { client in
            try await client.withStream(Methods.server, Message()) { messages in
                var keys: [String] = []
                let error = await failure {
                    for try await message in messages { keys.append(message.key) }
                }
                #expect(keys == ["a"])
                #expect(error?.code == .unavailable)
                #expect(error?.notSent == false)
            }
        }
    }

    @Test(
        "G5-13 G6-01 a server that does not know Hello is used without the Session service",
        arguments: [RPCStatus.Code.unimplemented, .invalidArgument]
    )
    func stockPeer(_ code: RPCStatus.Code) async throws {
        try await withScriptedServer(configure: { $0.usesSession = true }) { listener in
            try await listener.accept { peer in
                for _ in 0..<2 {
                    guard let frame = try await peer.nextFrame() else { return }
                    let envelope = try Envelope.Request(serialized: frame.data)
                    if envelope.method == "Hello" {
                        #expect(envelope.service == "backfill.session.v1.Session")
                        let refusal = Envelope.Response(status: .init(code: code.rawValue, message: "unknown"))
                        try await peer.send(
                            Frame(streamID: frame.streamID, type: .response, data: try refusal.serialized())
                        )
                    } else {
                        try await peer.send(try response(frame.streamID, Message(key: "b")))
                    }
                }
                _ = try await peer.nextFrame()
            }
        } client: { client in
            let answer = try await client.call(Methods.unary, Message())
            #expect(answer.key == "b")
        }
    }

    // MARK: - Helpers

    /// `S` sends so many messages, numbered, and tells when it has handed over the last.
    private static func producer(of count: Int, _ stage: Stage) -> RPCRouter {
        var router = RPCRouter()
        router.register(StreamMethods.server) { _, writer, _ in
            for index in 0..<count { try await writer.send(.init(key: "\(index)")) }
            stage.tell("sent")
        }
        router.register(StreamMethods.unary) { request, _ in request }
        return router
    }

    /// `S` sends a message and waits to be cancelled.
    private static func waiter(_ stage: Stage) -> RPCRouter {
        var router = RPCRouter()
        router.register(StreamMethods.unary) { request, _ in request }
        router.register(StreamMethods.server) { _, writer, _ in
            try await writer.send(.init())
            await stage.untilCancelled()
            stage.tell("cancelled")
        }
        return router
    }

    private func withPair(
        router: RPCRouter = StreamMethods.router(),
        patience: Duration = .seconds(600),
        usesSession: Bool = false,
        _ body: @escaping @Sendable (RPCClient) async throws -> Void
    ) async throws {
        try await withServer(router: router) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.lanes = [.control]
            configuration.fullStreamPatience = patience
            configuration.usesSession = usesSession
            try await withClient(configuration, body)
        }
    }
}
