import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct ResetTests {
    @Test("T-19 a client's reset at each byte of its frames runs nothing that is not whole and leaves no connection")
    func ofRequests() async throws {
        let runs = Atomic(0)
        var router = StreamMethods.router()
        let count = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: "t.S", name: "N")
        router.register(count) { request, _ in
            runs.add(1, ordering: .relaxed)
            return request
        }
        var frames = ByteBuffer()
        try StreamMethods.open(1, "B").write(into: &frames)
        try StreamMethods.data(1, "a").write(into: &frames)
        StreamMethods.end(1).write(into: &frames)
        try request(3, service: "t.S", method: "N", Envelope.KeyValue(key: "k")).write(into: &frames)
        let bytes = frames
        var configuration = RPCServerConfiguration()
        // Connections that were left would take all places.
        configuration.limits.maximumConnections = 8
        try await withServer(configuration, router: router) { server in
            for count in 0...bytes.readableBytes {
                try await withRawClient(port: server.port) { peer in
                    // A refused one is gone before it has sent anything.
                    try? await peer.send(bytes.getSlice(at: bytes.readerIndex, length: count) ?? ByteBuffer())
                    await peer.reset()
                }
            }
            var answered = false
            while !answered, !Task.isCancelled {
                answered = try await withRawClient(port: server.port) { peer in
                    try? await peer.send(try request(1, service: "t.S", method: "U", Envelope.KeyValue(key: "k")))
                    return try await peer.nextFrame() == response(1, Envelope.KeyValue(key: "k"))
                }
            }
            #expect(answered)
        }
        #expect(runs.load(ordering: .relaxed) <= 1)
    }

    @Test("T-19 a server's reset at each byte of its answer fails the call as sent, and the next call is served")
    func ofResponses() async throws {
        let message = Envelope.KeyValue(key: "k", value: "v")
        var whole = ByteBuffer()
        try response(1, message).write(into: &whole)
        let bytes = whole
        try await withScriptedServer(configure: {
            $0.backOff = BackOff(minimum: .milliseconds(1), maximum: .milliseconds(1))
        }) { listener in
            for count in 0..<bytes.readableBytes {
                try await listener.accept { peer in
                    _ = try await peer.nextFrame()
                    try await peer.send(bytes.getSlice(at: bytes.readerIndex, length: count) ?? ByteBuffer())
                    await peer.reset()
                }
            }
            try await listener.accept { peer in
                _ = try await peer.nextFrame()
                try await peer.send(bytes)
                _ = try await peer.nextFrame()
            }
        } client: { client in
            for count in 0..<bytes.readableBytes {
                let outcome = await self.sentEcho(message, client)
                #expect(throws: RPCError.self, "cut at \(count)") { try outcome.get() }
                if case .failure(let error) = outcome { #expect(error.code == .unavailable, "cut at \(count)") }
            }
            #expect(await self.sentEcho(message, client) == .success(message))
        }
    }

    /// A call that reached the server: while a client backs off, calls fail unsent.
    private func sentEcho(
        _ message: Envelope.KeyValue,
        _ client: RPCClient
    ) async -> Result<Envelope.KeyValue, RPCError> {
        while true {
            do {
                return .success(try await client.echo(message))
            } catch let error as RPCError where error.notSent && !Task.isCancelled {
                continue
            } catch {
                return .failure(error as? RPCError ?? RPCError(code: .internal, message: "\(error)"))
            }
        }
    }
}
