import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Testing

@Suite(.timeLimit(.minutes(2))) struct ConnectionStormTests {
    private static let allowed = 8
    private static let storm = 10_000
    private static let atATime = 64

    @Test(
        "T-25 G6-11 of 10,000 connections those beyond the limit are closed, and the accepted ones are served throughout"
    )
    func storm() async throws {
        var configuration = RPCServerConfiguration()
        configuration.limits.maximumConnections = Self.allowed
        try await withServer(configuration) { server in
            try await self.withAccepted(Self.allowed, port: server.port) { accepted in
                for peer in accepted { try await self.expectEcho(1, peer) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<Self.storm {
                        if number >= Self.atATime { try await group.next() }
                        group.addTask {
                            let frame = try await withRawClient(port: server.port) { try await $0.nextFrame() }
                            #expect(frame == nil)
                        }
                    }
                    for streamID: UInt32 in [3, 5, 7] {
                        for peer in accepted { try await self.expectEcho(streamID, peer) }
                    }
                    try await group.waitForAll()
                }
                for peer in accepted { try await self.expectEcho(9, peer) }
            }
        }
    }

    /// Connections side by side, all of them open while the body runs.
    private func withAccepted(
        _ count: Int,
        _ opened: [RawConnection] = [],
        port: Int,
        _ body: ([RawConnection]) async throws -> Void
    ) async throws {
        guard opened.count < count else { return try await body(opened) }
        try await withRawClient(port: port) { peer in
            try await self.withAccepted(count, opened + [peer], port: port, body)
        }
    }

    private func expectEcho(_ streamID: UInt32, _ peer: RawConnection) async throws {
        let message = Envelope.KeyValue(key: "\(streamID)")
        try await peer.send(try request(streamID, message))
        #expect(try await peer.nextFrame() == response(streamID, message))
    }
}
