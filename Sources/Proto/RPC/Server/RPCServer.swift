public import Logging
public import NIOCore
import NIOPosix
import ProtoFraming
public import ServiceLifecycle

/// Serves ttrpc calls and streams over TCP, with TLS if it is configured.
///
/// Each connection runs in a child task of `run()`, each call in a child task of its connection's.
public struct RPCServer: Service {
    private static let backlog: CInt = 256

    private let configuration: RPCServerConfiguration
    private let router: RPCRouter
    private let logger: Logger
    private let onListening: @Sendable (SocketAddress) -> Void

    /// Makes a server; `run()` starts it.
    ///
    /// - Parameters:
    ///   - configuration: address and limits.
    ///   - router: the methods it has.
    ///   - logger: gets failures of connections and handlers, never payloads.
    ///   - onListening: called once with the bound address when clients can connect.
    public init(
        configuration: RPCServerConfiguration = RPCServerConfiguration(),
        router: RPCRouter,
        logger: Logger,
        onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.router = SessionMethods.added(to: router, configuration: configuration)
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown or cancellation.
    ///
    /// On graceful shutdown it accepts no more connections, answers new calls with UNAVAILABLE, lets running calls end
    /// within `drainTimeout`, and closes each connection as soon as it is idle. On cancellation it closes all at once
    /// and cancels their calls.
    ///
    /// - Throws: when the address cannot be bound.
    public func run() async throws {
        let registry = ConnectionRegistry(limit: self.configuration.limits.maximumConnections)
        let (connections, sink) = AsyncStream.makeStream(of: ServerConnection.self)
        let listener = try await self.bind(registry: registry, sink: sink)
        // Asked for now: an event loop that was shut down answers nobody.
        async let listenerHasClosed: Void? = try? listener.closeFuture.get()
        if let address = listener.localAddress {
            self.onListening(address)
        }
        await withTaskCancellationOrGracefulShutdownHandler {
            await self.serve(connections, registry: registry)
            registry.closeAll()
        } onCancelOrGracefulShutdown: {
            // Clients that are told connect again at once: by then nobody listens, and none is accepted to be thrown out.
            let timeout = TimeAmount(clamping: self.configuration.drainTimeout)
            listener.close().whenComplete { _ in registry.drain(timeout: timeout) }
        }
        // A cancelled task stops waiting at once; whoever called may want the address again.
        _ = await listenerHasClosed
    }

    private func serve(_ connections: AsyncStream<ServerConnection>, registry: ConnectionRegistry) async {
        let maximumDataBytes = self.configuration.limits.frame.maximumDataBytes
        await withDiscardingTaskGroup { group in
            for await connection in connections {
                group.addTask {
                    await connection.serve(
                        maximumDataBytes: maximumDataBytes,
                        logger: self.logger
                    )
                    registry.remove(connection.number)
                }
            }
        }
    }

    private func bind(
        registry: ConnectionRegistry,
        sink: AsyncStream<ServerConnection>.Continuation
    ) async throws -> any Channel {
        let queued = self.configuration.limits.maximumQueuedBytes
        let logger = self.logger
        let setup = ServerConnectionSetup(
            configuration: self.configuration,
            router: self.router,
            registry: registry,
            sink: sink,
            logger: logger
        )
        return try await ServerBootstrap(group: self.configuration.eventLoopGroup)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = ListenerHandler(logger: logger) { sink.finish() }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .times(self.configuration.limits.socketTimes)
            .childChannelOption(SocketOptions.notSentLowWater, value: SocketOptions.notSentLowWaterBytes)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: queued / 2, high: queued))
            .childChannelInitializer { setup.begin($0) }
            .bind(host: self.configuration.host, port: self.configuration.port)
            .get()
    }
}
