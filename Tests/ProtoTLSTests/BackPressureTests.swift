import NIOCore
import NIOPosix
import ProtoTLS
import Testing

/// That a peer which does not read makes the writer's channel unwritable, and that reads are the reader's to ask for. The
/// limit is only against a peer that waits for ever.
@Suite(.timeLimit(.minutes(5)))
struct BackPressureTests {
    /// Far more than the buffers of two sockets hold.
    private static let maximumChunks = 4_096
    private static let chunkBytes = 65_536

    @Test("G6-11 a peer that does not read makes the channel unwritable, and writable again when it does")
    func writability() async throws {
        let contexts = try TestContexts()
        let server = try await HoldingServer(contexts.server())
        var limits = TLSLimits()
        // All that was written has to go out within it.
        limits.close = .minutes(5)
        let context = try contexts.client()
        let client = try await SocketClient(context, port: server.port, serverName: "localhost", limits: limits)
        let reader = try await server.accepted.get()
        var written = 0
        while written < Self.maximumChunks, client.channel.isWritable {
            // Not awaited: the answer would come only when the socket has taken it.
            client.channel.writeAndFlush(ByteBuffer(repeating: 7, count: Self.chunkBytes), promise: nil)
            // Once around the loop, so that the write has been made.
            try await client.channel.eventLoop.submit {}.get()
            written += 1
        }
        #expect(written < Self.maximumChunks)
        // Nobody asked for content, so none was delivered.
        #expect(try await server.receivedBytes() == 0)
        try await reader.setOption(.autoRead, value: true).get()
        try await client.channel.close()
        #expect(try await server.outcome.get() == written * Self.chunkBytes)
        #expect(try await client.outcome.get().codes == [])
        try await server.close()
    }
}

/// Accepts one connection and reads nothing of its content until it is told to.
private struct HoldingServer {
    /// Bytes of content, when the connection has ended.
    let outcome: EventLoopFuture<Int>
    /// The connection, once its handshake is complete.
    let accepted: EventLoopFuture<any Channel>
    let port: Int
    private let channel: any Channel
    private let counted: NIOLoopBound<Counter>

    init(_ context: TLSContext) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let outcome = loop.makePromise(of: Int.self)
        let accepted = loop.makePromise(of: (any Channel).self)
        let counted = try await loop.submit {
            NIOLoopBound(Counter(outcome: outcome, accepted: accepted), eventLoop: loop)
        }.get()
        self.outcome = outcome.futureResult
        self.accepted = accepted.futureResult
        self.counted = counted
        self.channel = try await ServerBootstrap(group: loop)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let tls = try TLSHandler(context: context, role: .server)
                    try channel.pipeline.syncOperations.addHandlers(tls, counted.value)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    func receivedBytes() async throws -> Int {
        let counted = self.counted
        return try await self.channel.eventLoop.submit { counted.value.bytes }.get()
    }

    func close() async throws {
        try await self.channel.close()
    }

    final class Counter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private(set) var bytes = 0
        private let outcome: EventLoopPromise<Int>
        private let accepted: EventLoopPromise<any Channel>

        init(outcome: EventLoopPromise<Int>, accepted: EventLoopPromise<any Channel>) {
            self.outcome = outcome
            self.accepted = accepted
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.bytes += self.unwrapInboundIn(data).readableBytes
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is TLSHandshakeCompleted { self.accepted.succeed(context.channel) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.outcome.succeed(self.bytes)
            self.accepted.fail(ChannelError.eof)
        }
    }
}
