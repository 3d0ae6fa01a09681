import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct SlowPeerTests {
    private let message = Envelope.KeyValue(key: "k", value: "v")

    @Test(
        "T-22 G6-11 data that stalls ends the connection, whichever frame it is of",
        arguments: [UInt32(100), 5 << 20]
    )
    func stalledBody(length: UInt32) async throws {
        var configuration = RPCServerConfiguration()
        configuration.limits.bodyProgressPeriod = .milliseconds(20)
        let message = self.message
        try await withServer(configuration) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, message))
                #expect(try await peer.nextFrame() == response(1, message))
                var begun = ByteBuffer()
                FrameHeader(length: length, streamID: 3, type: .request).write(into: &begun)
                begun.writeString("some of it")
                try await peer.send(begun)
                // A frame over the limit is answered before it is there.
                while let frame = try await peer.nextFrame() { #expect(frame.type == .response) }
            }
            // Others go on.
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, message))
                #expect(try await peer.nextFrame() == response(1, message))
            }
        }
    }

    @Test("T-22 G6-11 without a rate data may come at any pace")
    func anyPace() async throws {
        var configuration = RPCServerConfiguration()
        configuration.limits.minimumBodyBytesPerSecond = 0
        configuration.limits.bodyProgressPeriod = .nanoseconds(1)
        let message = self.message
        try await withServer(configuration) { server in
            try await withRawClient(port: server.port) { peer in
                var bytes = ByteBuffer()
                try request(1, message).write(into: &bytes)
                while let byte = bytes.readSlice(length: 1) {
                    try await peer.send(byte)
                }
                #expect(try await peer.nextFrame() == response(1, message))
            }
        }
    }
}
