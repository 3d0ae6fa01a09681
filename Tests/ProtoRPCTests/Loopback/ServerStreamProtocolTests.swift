import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Testing

/// What the server answers to a client that streams by hand.
@Suite(.timeLimit(.minutes(1))) struct ServerStreamProtocolTests {
    private typealias Methods = StreamMethods

    /// What a client sends and the server answers, byte by byte, written by hand from the protocol's text. The messages
    /// are `KeyValue { key: "a" }`.
    static let transcripts: [(name: String, client: String, server: String)] = [
        (
            "G4 unary",
            "0000000d 00000001 01 00  0a03742e53 120155 1a030a0161",
            "00000005 00000001 02 00  12030a0161"
        ),
        (
            "G4 server stream",
            "0000000d 00000001 01 01  0a03742e53 120153 1a030a0161",
            "00000003 00000001 03 00  0a0161   00000003 00000001 03 00  0a0161   00000000 00000001 03 05"
        ),
        (
            "G4 G2-06 server stream of empty messages",
            "00000008 00000001 01 01  0a03742e53 120153",
            "00000000 00000001 03 00   00000000 00000001 03 00   00000000 00000001 03 05"
        ),
        (
            "G4 G5-12 client stream with an empty message",
            """
            00000008 00000001 01 06  0a03742e53 120143
            00000003 00000001 03 00  0a0161   00000000 00000001 03 00   00000000 00000001 03 05
            """,
            "00000005 00000001 02 00  12030a0132"
        ),
        (
            "G5-08 client stream as Go opens it",
            "00000008 00000001 01 02  0a03742e53 120143   00000000 00000001 03 05",
            "00000005 00000001 02 00  12030a0130"
        ),
        (
            "G4 bidirectional",
            """
            00000008 00000001 01 06  0a03742e53 120142
            00000003 00000001 03 00  0a0161   00000000 00000001 03 05
            """,
            "00000003 00000001 03 00  0a0161   00000000 00000001 03 05"
        ),
        (
            "G4 server stream in error: ABORTED, no",
            "00000010 00000001 01 01  0a03742e53 120153 1a060a046661696c",
            "00000008 00000001 02 00  0a06 080a 12026e6f"
        ),
        (
            "G4 client stream in error",
            """
            00000008 00000001 01 06  0a03742e53 120143
            00000006 00000001 03 00  0a046661696c
            """,
            "00000008 00000001 02 00  0a06 080a 12026e6f"
        ),
        (
            "G4 bidirectional in error, behind a message",
            """
            00000008 00000001 01 06  0a03742e53 120142
            00000003 00000001 03 00  0a0161   00000006 00000001 03 00  0a046661696c
            """,
            "00000003 00000001 03 00  0a0161   00000008 00000001 02 00  0a06 080a 12026e6f"
        ),
    ]

    @Test("G4 G7 calls of each kind have the protocol's bytes", arguments: transcripts.indices, [false, true])
    func transcript(_ index: Int, onEventLoop: Bool) async throws {
        let (name, client, server) = Self.transcripts[index]
        try await self.withPeer(router: Methods.router(onEventLoop: onEventLoop)) { peer in
            try await peer.send(bytes(client))
            let expected = bytes(server)
            #expect(try await peer.nextBytes(expected.readableBytes) == expected, "\(name)")
            try await self.expectUsable(peer)
        }
    }

    @Test("G4-01 data that closes and carries bytes is processed, then INVALID_ARGUMENT")
    func closeWithData() async throws {
        let stage = Stage()
        var router = RPCRouter()
        router.register(Methods.client) { messages, _ in
            for try await message in messages { stage.tell(message.key) }
            stage.tell("ended")
            return .init()
        }
        try await self.withPeer(router: router) { peer in
            try await peer.send(
                try Methods.open(1, "C"),
                try Methods.data(1, "a"),
                try Methods.data(1, "b", flags: .remoteClosed)
            )
            let answer = try await peer.nextResponse()
            #expect(answer?.code == RPCStatus.Code.invalidArgument.rawValue)
            #expect(answer?.message == "data close message cannot include data")
            for event in ["a", "b", "ended"] { #expect(await stage.next() == event) }
        }
    }

    @Test("G4-02 data for a stream that ended is INVALID_ARGUMENT in Go's words, each time")
    func afterTheEnd() async throws {
        try await self.withPeer { peer in
            try await peer.send(try Methods.open(1, "B"), Methods.end(1))
            #expect(try await peer.nextFrame() == Methods.end(1))
            for _ in 0..<2 {
                try await peer.send(try Methods.data(1, "late"))
                let answer = try await peer.nextResponse()
                #expect(answer?.streamID == 1)
                #expect(answer?.code == RPCStatus.Code.invalidArgument.rawValue)
                #expect(answer?.message == "StreamID is no longer active")
            }
            try await self.expectUsable(peer)
        }
    }

    @Test("G4-03 data behind the half-close ends the stream once and cancels its handler")
    func afterTheHalfClose() async throws {
        let stage = Stage()
        try await self.withPeer(router: Self.waiting(stage)) { peer in
            try await peer.send(try Methods.open(1, "B"), Methods.end(1))
            #expect(await stage.next() == "began")
            try await peer.send(try Methods.data(1, "late"))
            let answer = try await peer.nextResponse()
            #expect(answer?.message == "data handling error: stream closed")
            #expect(await stage.next() == "cancelled")
            try await self.expectUsable(peer, method: "W")
        }
    }

    @Test("G5-05 the message that exceeds a window of 64 is RESOURCE_EXHAUSTED, and other streams go on")
    func window() async throws {
        let stage = Stage()
        var configuration = RPCServerConfiguration()
        configuration.limits.fullStreamPatience = .zero
        try await self.withPeer(configuration, router: Self.waiting(stage)) { peer in
            try await peer.send(try Methods.open(1, "B"))
            #expect(await stage.next() == "began")
            for _ in 0..<65 { try await peer.send(try Methods.data(1, "a")) }
            let answer = try await peer.nextResponse()
            #expect(answer?.streamID == 1)
            #expect(answer?.code == RPCStatus.Code.resourceExhausted.rawValue)
            #expect(await stage.next() == "cancelled")
            try await self.expectUsable(peer, method: "W")
        }
    }

    @Test("G5-05 a window of 64 is not refused")
    func fullWindow() async throws {
        let stage = Stage()
        var configuration = RPCServerConfiguration()
        configuration.limits.fullStreamPatience = .zero
        var router = RPCRouter()
        router.register(Methods.client) { messages, _ in
            await stage.curtain.waitUntilOpen()
            var count = 0
            for try await _ in messages { count += 1 }
            return .init(key: "\(count)")
        }
        router.register(Methods.unary) { request, _ in request }
        try await self.withPeer(configuration, router: router) { peer in
            try await peer.send(try Methods.open(1, "C"))
            for _ in 0..<64 { try await peer.send(try Methods.data(1, "a")) }
            try await peer.send(Methods.end(1))
            try await self.expectUsable(peer)
            stage.curtain.open()
            #expect(try await peer.nextFrame() == response(1, Envelope.KeyValue(key: "64")))
        }
    }

    @Test("G5-05 a patient server holds the client back and loses nothing")
    func patience() async throws {
        var configuration = RPCServerConfiguration()
        configuration.limits.fullStreamPatience = .seconds(600)
        let stage = Stage()
        var router = RPCRouter()
        router.register(Methods.both) { messages, writer, _ in
            await stage.curtain.waitUntilOpen()
            for try await message in messages { try await writer.send(message) }
        }
        try await self.withPeer(configuration, router: router) { peer in
            var frames = ByteBuffer()
            try Methods.open(1, "B").write(into: &frames)
            for index in 0..<1_000 { try Methods.data(1, "\(index)").write(into: &frames) }
            Methods.end(1).write(into: &frames)
            try await peer.send(frames)
            stage.curtain.open()
            for index in 0..<1_000 { #expect(try await peer.nextFrame() == Methods.data(1, "\(index)")) }
            #expect(try await peer.nextFrame() == Methods.end(1))
        }
    }

    @Test("G5-14 streams whose ids come late are served, in strict mode they are refused")
    func lateIDs() async throws {
        try await self.withPeer { peer in
            for streamID: UInt32 in [9, 3] {
                try await peer.send(try Methods.open(streamID, "B"), Methods.end(streamID))
                #expect(try await peer.nextFrame() == Methods.end(streamID))
            }
        }
        try await self.withPeer(RPCServerConfiguration(strictStreamIDs: true)) { peer in
            try await peer.send(try Methods.open(9, "B"), Methods.end(9))
            #expect(try await peer.nextFrame() == Methods.end(9))
            try await peer.send(try Methods.open(3, "B"))
            #expect(try await peer.nextResponse()?.code == RPCStatus.Code.invalidArgument.rawValue)
        }
    }

    @Test("a message that is none ends its stream in INVALID_ARGUMENT")
    func malformed() async throws {
        try await self.withPeer { peer in
            let noise = Frame(streamID: 1, type: .data, data: ByteBuffer(bytes: [0xff]))
            try await peer.send(try Methods.open(1, "B"), noise)
            #expect(try await peer.nextResponse()?.code == RPCStatus.Code.invalidArgument.rawValue)
            try await self.expectUsable(peer)
        }
    }

    @Test("G5-03 an oversized message ends its stream in RESOURCE_EXHAUSTED and cancels its handler")
    func oversized() async throws {
        let stage = Stage()
        try await self.withPeer(router: Self.waiting(stage)) { peer in
            try await peer.send(try Methods.open(1, "B"))
            #expect(await stage.next() == "began")
            try await peer.send(Frame(streamID: 1, type: .data, data: ByteBuffer(repeating: 0, count: 4 << 20 + 1)))
            #expect(try await peer.nextResponse()?.code == RPCStatus.Code.resourceExhausted.rawValue)
            #expect(await stage.next() == "cancelled")
        }
    }

    @Test("G3-05 a stream's deadline answers it and cancels its handler")
    func deadline() async throws {
        let stage = Stage()
        try await self.withPeer(router: Self.waiting(stage)) { peer in
            let envelope = Envelope.Request(service: Methods.service, method: "B", timeoutNano: 1)
            let flags: FrameFlags = [.remoteOpen, .noData]
            try await peer.send(Frame(streamID: 1, type: .request, flags: flags, data: try envelope.serialized()))
            #expect(try await peer.nextResponse()?.code == RPCStatus.Code.deadlineExceeded.rawValue)
            try await self.expectUsable(peer, method: "W")
        }
    }

    @Test("G6-03 a cancelled stream is answered and its handler cancelled; cancelling again says it was not running")
    func cancel() async throws {
        let stage = Stage()
        try await self.withPeer(router: Self.waiting(stage)) { peer in
            try await peer.send(try Methods.open(1, "B"))
            #expect(await stage.next() == "began")
            for (streamID, wasRunning) in [(UInt32(3), true), (5, false)] {
                let cancel = CancelRequest(streamID: 1)
                try await peer.send(
                    try request(streamID, service: SessionService.name, method: "Cancel", cancel)
                )
                if wasRunning {
                    let answer = try await peer.nextResponse()
                    #expect(answer?.streamID == 1)
                    #expect(answer?.code == RPCStatus.Code.cancelled.rawValue)
                    #expect(await stage.next() == "cancelled")
                }
                let expected = try response(streamID, CancelResponse(wasRunning: wasRunning))
                #expect(try await peer.nextFrame() == expected)
            }
        }
    }

    @Test("a client that goes away in the middle cancels the handlers of its streams")
    func connectionCut() async throws {
        let stage = Stage()
        try await withServer(router: Self.waiting(stage)) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try Methods.open(1, "B"), try Methods.data(1, "a"))
                #expect(await stage.next() == "began")
                try await peer.close()
            }
            #expect(await stage.next() == "cancelled")
        }
    }

    // MARK: - Helpers

    /// `B` waits to be cancelled; `W` is a unary echo.
    private static func waiting(_ stage: Stage) -> RPCRouter {
        var router = RPCRouter()
        router.register(StreamMethods.both) { _, _, _ in
            stage.tell("began")
            await stage.untilCancelled()
            stage.tell("cancelled")
        }
        let echo = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: StreamMethods.service, name: "W")
        router.register(echo) { request, _ in request }
        return router
    }

    private func withPeer(
        _ configuration: RPCServerConfiguration = RPCServerConfiguration(),
        router: RPCRouter = StreamMethods.router(),
        _ body: @escaping @Sendable (RawConnection) async throws -> Void
    ) async throws {
        try await withServer(configuration, router: router) { server in
            try await withRawClient(port: server.port, body)
        }
    }

    /// The very next answer is that to a new call: nothing else was sent.
    private func expectUsable(_ peer: RawConnection, method: String = "U") async throws {
        let message = Envelope.KeyValue(key: "next")
        let call = try request(1_001, service: Methods.service, method: method, message)
        try await peer.send(call)
        #expect(try await peer.nextFrame() == response(1_001, message))
    }
}
