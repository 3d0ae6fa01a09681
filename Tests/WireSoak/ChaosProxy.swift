import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// Carries bytes between clients and the server, and resets each connection at some point, in the middle of whatever
/// travels.
struct ChaosProxy: Sendable {
    let listener: any Channel
    var port: Int { self.listener.localAddress?.port ?? 0 }

    /// - Parameters:
    ///   - group: one event loop, so that both sides of a connection are on it.
    ///   - onReset: called for each connection that was reset.
    static func start(
        to port: Int,
        on group: MultiThreadedEventLoopGroup,
        seed: UInt64,
        onReset: @escaping @Sendable () -> Void
    ) async throws -> ChaosProxy {
        let random = Mutex(SeededGenerator(seed: seed))
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { client in
                let milliseconds = random.withLock { Int64.random(in: 50...8_000, using: &$0) }
                return ClientBootstrap(group: client.eventLoop)
                    .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .connect(host: "127.0.0.1", port: port)
                    .flatMapThrowing { server in
                        let near = Carrier()
                        let far = Carrier()
                        near.partner = far
                        far.partner = near
                        try client.pipeline.syncOperations.addHandler(near)
                        try server.pipeline.syncOperations.addHandler(far)
                        client.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
                            guard client.isActive else { return }
                            onReset()
                            for channel in [client, server] {
                                // A reset rather than an end: what is on its way is lost.
                                let options = channel as? any SocketOptionProvider
                                options?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
                                    .whenComplete { _ in channel.close(promise: nil) }
                            }
                        }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ChaosProxy(listener: listener)
    }
}

/// One side of a carried connection: gives what it reads to its partner, and reads while the partner can write.
private final class Carrier: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    weak var partner: Carrier?
    private var context: ChannelHandlerContext?
    private var readIsHeld = false

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.partner?.context?.write(data, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.partner?.context?.flush()
    }

    func read(context: ChannelHandlerContext) {
        if self.partner?.context?.channel.isWritable == true {
            context.read()
        } else {
            self.readIsHeld = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable, let partner = self.partner, partner.readIsHeld else { return }
        partner.readIsHeld = false
        partner.context?.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.partner?.context?.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
