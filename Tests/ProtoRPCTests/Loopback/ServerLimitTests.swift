import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct ServerLimitTests {
    @Test("G6-11 metadata over the limit is RESOURCE_EXHAUSTED")
    func metadata() async throws {
        let allowed = (0..<64).map { Envelope.KeyValue(key: "key-\($0)") }
        let tooMany = allowed + [Envelope.KeyValue(key: "one more")]
        let tooLong = [Envelope.KeyValue(key: "key", value: String(repeating: "x", count: 16 << 10))]
        try await withServer { server in
            try await withRawClient(port: server.port) { peer in
                for (streamID, metadata, code) in [
                    (UInt32(1), allowed, RPCStatus.Code.ok), (3, tooMany, .resourceExhausted),
                    (5, tooLong, .resourceExhausted), (7, allowed, .ok),
                ] {
                    try await peer.send(try request(streamID, Envelope.KeyValue(), metadata: metadata))
                    let response = try await peer.nextResponse()
                    #expect(response?.streamID == streamID)
                    #expect(response?.code == code.rawValue)
                }
            }
        }
    }

    @Test("G6-11 service and method of more than 256 bytes are RESOURCE_EXHAUSTED")
    func names() async throws {
        try await withServer { server in
            try await withRawClient(port: server.port) { peer in
                let service = String(repeating: "s", count: 200)
                for (streamID, length, code) in [
                    (UInt32(1), 56, RPCStatus.Code.unimplemented), (3, 57, .resourceExhausted),
                ] {
                    let method = String(repeating: "m", count: length)
                    try await peer.send(try request(streamID, service: service, method: method, Envelope.KeyValue()))
                    #expect(try await peer.nextResponse()?.code == code.rawValue)
                }
            }
        }
    }

    @Test("G6-11 one call more in flight than allowed is RESOURCE_EXHAUSTED")
    func callsInFlight() async throws {
        let stage = Stage()
        var configuration = RPCServerConfiguration()
        configuration.limits.maximumStreams = 2
        try await withServer(configuration, router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                let message = Envelope.KeyValue(key: "k")
                try await peer.send(
                    try request(1, method: "Hold", message),
                    try request(3, method: "Hold", message),
                    try request(5, message)
                )
                let refused = try await peer.nextResponse()
                #expect(refused?.streamID == 5)
                #expect(refused?.code == RPCStatus.Code.resourceExhausted.rawValue)
                #expect(await stage.next() == "began")
                #expect(await stage.next() == "began")
                stage.curtain.open()
                let ended = [try await peer.nextResponse()?.streamID, try await peer.nextResponse()?.streamID]
                #expect(Set(ended) == [1, 3])
                try await peer.send(try request(7, message))
                #expect(try await peer.nextResponse()?.streamID == 7)
            }
        }
    }

    @Test("G6-11 one connection more than allowed is closed, and a place that is free again is given")
    func connections() async throws {
        var configuration = RPCServerConfiguration()
        configuration.limits.maximumConnections = 1
        try await withServer(configuration) { server in
            try await withRawClient(port: server.port) { first in
                try await first.send(try request(1, Envelope.KeyValue(key: "k")))
                #expect(try await first.nextResponse()?.streamID == 1)
                let refused = try await withRawClient(port: server.port) { try await $0.nextFrame() }
                #expect(refused == nil)
            }
            // The server learns of the first connection's end in its own time.
            var answered = false
            while !answered, !Task.isCancelled {
                answered = try await withRawClient(port: server.port) { peer in
                    try? await peer.send(try request(1, Envelope.KeyValue(key: "k")))
                    return try await peer.nextFrame() != nil
                }
            }
            #expect(answered)
        }
    }

    @Test("G6-11 a header that is never completed ends the connection")
    func slowHeader() async throws {
        var configuration = RPCServerConfiguration()
        configuration.limits.headerTimeout = .milliseconds(20)
        try await withServer(configuration) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(ByteBuffer(bytes: [0, 0, 0]))
                #expect(try await peer.nextFrame() == nil)
            }
        }
    }
}
