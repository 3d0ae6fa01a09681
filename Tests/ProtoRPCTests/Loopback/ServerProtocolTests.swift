import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Testing

/// What the server answers to a client that speaks the framing by hand.
@Suite(.timeLimit(.minutes(1))) struct ServerProtocolTests {
    private let message = Envelope.KeyValue(key: "k", value: "v")

    @Test("G2-05 a request with flags 0x00 or 0x01 is a unary call", arguments: [UInt8(0), 1])
    func unaryFlags(_ flags: UInt8) async throws {
        try await self.withPeer { peer in
            try await peer.send(try request(1, self.message, flags: FrameFlags(rawValue: flags)))
            try await self.expectEcho(1, peer)
        }
    }

    @Test("G2-04 an even stream id is refused", arguments: [UInt32(0), 2, 0x8000_0001])
    func invalidID(_ streamID: UInt32) async throws {
        try await self.withPeer { peer in
            try await peer.send(try request(streamID, self.message))
            try await self.expect(RPCStatus.Code.invalidArgument, on: streamID, peer)
            try await self.expectUsable(peer)
        }
    }

    @Test("G5-01 a stream id is used once")
    func reusedID() async throws {
        try await self.withPeer { peer in
            try await peer.send(try request(7, self.message))
            try await self.expectEcho(7, peer)
            try await peer.send(try request(7, self.message))
            try await self.expect(.invalidArgument, on: 7, peer)
            try await self.expectUsable(peer)
        }
    }

    @Test("G5-14 ids that arrive out of order are served")
    func outOfOrder() async throws {
        try await self.withPeer { peer in
            for streamID: UInt32 in [1_025, 1_023, 3] {
                try await peer.send(try request(streamID, self.message))
                try await self.expectEcho(streamID, peer)
            }
            try await peer.send(try request(1, self.message))
            try await self.expect(.invalidArgument, on: 1, peer)
        }
    }

    @Test("G5-01 G5-14 in strict mode ids have to rise")
    func strict() async throws {
        try await self.withPeer(RPCServerConfiguration(strictStreamIDs: true)) { peer in
            try await peer.send(try request(5, self.message))
            try await self.expectEcho(5, peer)
            try await peer.send(try request(3, self.message))
            try await self.expect(.invalidArgument, on: 3, peer)
        }
    }

    @Test("G2-05 G5-12 a stream is refused once and its data passed over", arguments: [UInt8(0x02), 0x06])
    func streamingOpen(_ flags: UInt8) async throws {
        try await self.withPeer { peer in
            try await peer.send(
                try request(1, self.message, flags: FrameFlags(rawValue: flags)),
                Frame(streamID: 1, type: .data, data: ByteBuffer(string: "one")),
                Frame(streamID: 1, type: .data),
                Frame(streamID: 1, type: .data, flags: [.remoteClosed, .noData]),
                try request(3, self.message)
            )
            try await self.expect(.unimplemented, on: 1, peer)
            try await self.expectEcho(3, peer)
        }
    }

    @Test("G4-02 data for a stream that is not open is refused", arguments: [UInt32(1), 2, 99])
    func strayData(_ streamID: UInt32) async throws {
        try await self.withPeer { peer in
            try await peer.send(try request(1, self.message))
            try await self.expectEcho(1, peer)
            try await peer.send(Frame(streamID: streamID, type: .data, data: ByteBuffer(string: "stray")))
            try await self.expect(.invalidArgument, on: streamID, peer)
            try await self.expectUsable(peer)
        }
    }

    @Test("G5-06 data for a unary call ends it with one answer")
    func dataOnUnary() async throws {
        let stage = Stage()
        try await self.withPeer(router: stage.router()) { peer in
            try await peer.send(try request(1, method: "Wait", self.message))
            #expect(await stage.next() == "began")
            try await peer.send(Frame(streamID: 1, type: .data, data: ByteBuffer(string: "stray")))
            try await self.expect(.invalidArgument, on: 1, peer)
            #expect(await stage.next() == "cancelled")
            try await self.expectUsable(peer)
        }
    }

    @Test("G2-03 frames of unknown types and responses are passed over")
    func unknownTypes() async throws {
        try await self.withPeer { peer in
            try await peer.send(
                Frame(streamID: 1, type: FrameType(rawValue: 9), data: ByteBuffer(string: "what")),
                Frame(streamID: 3, type: .response, data: ByteBuffer(string: "why")),
                try request(1, self.message)
            )
            try await self.expectEcho(1, peer)
        }
    }

    @Test("G5-03 an oversized request is RESOURCE_EXHAUSTED and the connection goes on")
    func oversized() async throws {
        try await self.withPeer { peer in
            let data = ByteBuffer(repeating: 0, count: 4 << 20 + 1)
            try await peer.send(Frame(streamID: 1, type: .request, data: data), try request(3, self.message))
            try await self.expect(.resourceExhausted, on: 1, peer)
            try await self.expectEcho(3, peer)
        }
    }

    @Test("G5-03 a frame too long to skip closes the connection")
    func tooLongToSkip() async throws {
        try await self.withPeer { peer in
            var header = ByteBuffer()
            FrameHeader(length: 64 << 20 + 1, streamID: 1, type: .request).write(into: &header)
            try await peer.send(header)
            #expect(try await peer.nextFrame() == nil)
        }
    }

    @Test("G3-05 a negative timeout is over at once, 0 is none")
    func timeouts() async throws {
        try await self.withPeer { peer in
            for (streamID, timeout) in [(UInt32(1), Int64(-1)), (3, .min)] {
                try await peer.send(try request(streamID, self.message, timeoutNano: timeout))
                try await self.expect(.deadlineExceeded, on: streamID, peer)
            }
            for (streamID, timeout) in [(UInt32(5), Int64(0)), (7, .max)] {
                try await peer.send(try request(streamID, self.message, timeoutNano: timeout))
                try await self.expectEcho(streamID, peer)
            }
        }
    }

    @Test("a request that is no envelope, or holds no message, is INVALID_ARGUMENT and the connection goes on")
    func malformed() async throws {
        try await self.withPeer { peer in
            let noise = ByteBuffer(bytes: [0xff, 0xff, 0xff])
            try await peer.send(Frame(streamID: 1, type: .request, data: noise))
            try await self.expect(.invalidArgument, on: 1, peer)
            let envelope = Envelope.Request(service: echo.service, method: echo.name, payload: noise)
            try await peer.send(Frame(streamID: 3, type: .request, data: try envelope.serialized()))
            try await self.expect(.invalidArgument, on: 3, peer)
            try await self.expectUsable(peer)
        }
    }

    @Test("G5-02 an unknown service or method is UNIMPLEMENTED")
    func unknownNames() async throws {
        try await self.withPeer { peer in
            try await peer.send(
                try request(1, service: "no.v1.No", self.message),
                try request(3, method: "No", self.message)
            )
            let first = try await peer.nextResponse()
            let second = try await peer.nextResponse()
            #expect(Set([first?.streamID, second?.streamID]) == [1, 3])
            #expect(first?.code == RPCStatus.Code.unimplemented.rawValue)
            #expect(second?.code == RPCStatus.Code.unimplemented.rawValue)
        }
    }

    // MARK: - Helpers

    private func withPeer(
        _ configuration: RPCServerConfiguration = RPCServerConfiguration(),
        router: RPCRouter = echoRouter(),
        _ body: @escaping @Sendable (RawConnection) async throws -> Void
    ) async throws {
        try await withServer(configuration, router: router) { server in
            try await withRawClient(port: server.port, body)
        }
    }

    private func expect(_ code: RPCStatus.Code, on streamID: UInt32, _ peer: RawConnection) async throws {
        let response = try await peer.nextResponse()
        #expect(response?.streamID == streamID)
        #expect(response?.code == code.rawValue)
        #expect(response?.message.isEmpty == false)
    }

    private func expectEcho(_ streamID: UInt32, _ peer: RawConnection) async throws {
        #expect(try await peer.nextFrame() == response(streamID, self.message))
    }

    /// The very next answer is that to a new call: nothing else was sent.
    private func expectUsable(_ peer: RawConnection) async throws {
        try await peer.send(try request(1_999, self.message))
        try await self.expectEcho(1_999, peer)
    }
}
