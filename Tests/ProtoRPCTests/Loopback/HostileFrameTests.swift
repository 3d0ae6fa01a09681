import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Testing

/// The frames of T-21 that no other test sends, each on a connection on which a call must still be possible.
@Suite(.timeLimit(.minutes(1))) struct HostileFrameTests {
    private static let allFlags = FrameFlags(rawValue: 0xFF)

    @Test("T-21 G2-04 an id may jump to the last one there is, and behind it nothing can be opened")
    func jump() async throws {
        try await self.withPeer { peer in
            let last: UInt32 = (1 << 31) - 1
            try await peer.send(try request(last, service: "t.S", method: "U", Message(key: "k")))
            #expect(try await peer.nextFrame() == response(last, Message(key: "k")))
            try await peer.send(try request(1, service: "t.S", method: "U", Message(key: "k")))
            #expect(try await peer.nextResponse()?.code == RPCStatus.Code.invalidArgument.rawValue)
            // Ids that were left out shortly before it are still there.
            try await self.expectUsable(peer, streamID: last - 2)
        }
    }

    @Test("T-21 a unary request with all flags on is refused, and its data passed over")
    func flagsOfUnary() async throws {
        try await self.withPeer { peer in
            try await peer.send(
                try request(1, service: "t.S", method: "U", Message(key: "k"), flags: Self.allFlags),
                Frame(streamID: 1, type: .data, flags: Self.allFlags, data: ByteBuffer(string: "more"))
            )
            #expect(try await peer.nextResponse()?.code == RPCStatus.Code.unimplemented.rawValue)
            try await self.expectUsable(peer)
        }
    }

    @Test("T-21 G5-12 a stream opened with all flags on has no first message; data with all flags on ends it")
    func flagsOfStream() async throws {
        try await self.withPeer { peer in
            try await peer.send(
                try StreamMethods.open(1, "C", flags: Self.allFlags),
                try StreamMethods.data(1, "one"),
                Frame(streamID: 1, type: .data, flags: Self.allFlags)
            )
            #expect(try await peer.nextFrame() == response(1, Message(key: "1")))
            try await self.expectUsable(peer)
        }
    }

    @Test("T-21 a header that announces 4 GiB closes its connection and no other")
    func largest() async throws {
        try await withServer(router: StreamMethods.router()) { server in
            try await withRawClient(port: server.port) { other in
                try await withRawClient(port: server.port) { peer in
                    var bytes = ByteBuffer()
                    FrameHeader(length: .max, streamID: 1, type: .request).write(into: &bytes)
                    try await peer.send(bytes)
                    #expect(try await peer.nextFrame() == nil)
                }
                try await self.expectUsable(other)
            }
        }
    }

    private typealias Message = Envelope.KeyValue

    private func withPeer(_ body: @escaping @Sendable (RawConnection) async throws -> Void) async throws {
        try await withServer(router: StreamMethods.router()) { server in
            try await withRawClient(port: server.port, body)
        }
    }

    private func expectUsable(_ peer: RawConnection, streamID: UInt32 = 99) async throws {
        try await peer.send(try request(streamID, service: "t.S", method: "U", Message(key: "next")))
        #expect(try await peer.nextFrame() == response(streamID, Message(key: "next")))
    }
}
