import NIOCore
import NIOEmbedded
import ProtoFraming
import ProtoMessages
import Testing

@testable import ProtoRPC

/// A flush that fails closes the channel, and a socket says so before the flush returns.
struct ReentrancyTests {
    /// Answers a flush as a socket does whose peer is gone.
    private final class FailingSocket: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        private(set) var flushes = 0

        func flush(context: ChannelHandlerContext) {
            self.flushes += 1
            context.flush()
            guard self.flushes == 1 else { return }
            context.fireErrorCaught(ChannelError.ioOnClosedChannel)
            context.fireChannelReadComplete()
            context.fireChannelWritabilityChanged()
        }
    }

    @Test func aServersConnectionSurvivesItsEndInsideOfAFlush() throws {
        let channel = EmbeddedChannel()
        let socket = FailingSocket()
        try channel.pipeline.syncOperations.addHandler(socket)
        let configuration = RPCServerConfiguration()
        let connection = try ServerConnection.make(
            on: channel,
            number: 1,
            configuration: configuration,
            router: SessionMethods.added(to: RPCRouter(), configuration: configuration),
            logger: quietLogger
        )
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let ping = try request(1, service: SessionService.name, method: "Ping", PingRequest(nonce: 1))
        var bytes = ByteBuffer()
        FrameHeader(length: UInt32(ping.data.readableBytes), streamID: 1, type: .request, flags: []).write(into: &bytes)
        bytes.writeImmutableBuffer(ping.data)
        try channel.writeInbound(bytes)
        #expect(socket.flushes >= 1)
        #expect(!channel.isActive)
        withExtendedLifetime(connection) {}
    }
}
