public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle
public import Settings

/// An OpenAI-compatible engine without a model, for the quick start, the tests and the benchmarks.
///
/// One event loop does everything, so that the slots need no lock.
public struct EngineSimulator: Service {
    private static let backlog: CInt = 1_024

    private let configuration: SimulatorConfiguration
    private let logger: Logger
    private let onListening: @Sendable (ListenAddress) -> Void

    /// Makes an engine; `run()` starts it.
    /// - Parameter onListening: called with the bound address once it really serves.
    public init(
        configuration: SimulatorConfiguration,
        logger: Logger,
        onListening: @escaping @Sendable (ListenAddress) -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown or cancellation.
    /// - Throws: when the address cannot be bound or the witness file cannot be opened.
    public func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<Void, any Error>
        do {
            result = .success(try await self.serve(on: group))
        } catch {
            result = .failure(error)
        }
        try await group.shutdownGracefully()
        try result.get()
    }

    private func serve(on group: MultiThreadedEventLoopGroup) async throws {
        let configuration = self.configuration
        let witness = try configuration.witness.map { path in
            guard let witness = WitnessLedger(path: path) else { throw WitnessProblem(path: path) }
            return witness
        }
        let loop = group.next()
        let state = try await loop.submit {
            NIOLoopBound(EngineState(configuration, witness: witness), eventLoop: loop)
        }
        .get()
        let listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(EngineHandler(state: state.value))
                }
            }
            .bind(host: configuration.listen.host, port: configuration.listen.port)
            .get()
        let host = listener.localAddress?.ipAddress ?? configuration.listen.host
        self.onListening(ListenAddress(host: host, port: listener.localAddress?.port ?? 0))
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await listener.closeFuture.get()
        } onCancelOrGracefulShutdown: {
            listener.close(promise: nil)
        }
    }
}

/// The witness file cannot be written.
private struct WitnessProblem: Error, CustomStringConvertible {
    var path: String
    var description: String { "cannot open the witness file \(self.path)" }
}
