import CurlHTTP
public import Logging
import NIOCore
import NIOPosix
import ProtoRPC
import ProtoTLS
import SchedulerDrivers
import SchedulerEngines
import SchedulerStores
public import ServiceLifecycle
import Settings
import WatchedFiles

/// The scheduler as one service: opens its stores, takes up unfinished batches, and serves RPC until shutdown.
public struct SchedulerApplication: Service {
    /// The version that `Admin.GetStatus` and `--version` tell.
    public static let version = "0.1.0"
    private static let fileThreads = 4
    private static let commitThreads = 2

    private let configuration: SchedulerConfiguration
    private let logger: Logger
    private let onListening: @Sendable (_ host: String, _ port: Int) -> Void

    /// Makes a scheduler; `run()` starts it.
    /// - Parameter onListening: called once it really serves, with the bound address.
    public init(
        configuration: SchedulerConfiguration,
        logger: Logger,
        onListening: @escaping @Sendable (_ host: String, _ port: Int) -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until graceful shutdown or cancellation.
    /// - Throws: `StoreError` or `FileError` when the data directory cannot be used; what binding throws.
    public func run() async throws {
        let tls = try self.configuration.tls.map { try TLSContextSource($0) }
        let driver = ExternalDriver(engines: self.configuration.engines)
        try await driver.withEngines { engines in try await self.serve(engines, tls) }
    }

    private func serve(_ addresses: [EngineAddress], _ tls: TLSContextSource?) async throws {
        let threads = NIOThreadPool(numberOfThreads: Self.fileThreads)
        let commitThreads = NIOThreadPool(numberOfThreads: Self.commitThreads)
        threads.start()
        commitThreads.start()
        let http = CurlClient(CurlClient.Configuration())
        let result: Result<Void, any Error>
        do {
            result = .success(try await self.serve(addresses, tls, http, threads, commitThreads))
        } catch {
            result = .failure(error)
        }
        try await threads.runIfActive { http.shutdown() }
        try await threads.shutdownGracefully()
        try await commitThreads.shutdownGracefully()
        try result.get()
    }

    private func serve(
        _ addresses: [EngineAddress],
        _ tls: TLSContextSource?,
        _ http: CurlClient,
        _ threads: NIOThreadPool,
        _ commitThreads: NIOThreadPool
    ) async throws {
        let directory = self.configuration.dataDirectory
        let platform = Platform(
            files: LocalFileSystem(),
            threads: threads,
            commitThreads: commitThreads,
            time: .system,
            random: { UInt64.random(in: .min ... .max) }
        )
        let clock = try await threads.runIfActive {
            try platform.files.makeDirectory(directory)
            try DataDirectory.check(directory)
            return try LeaseClock.system()
        }
        let engines = addresses.map {
            EngineClient(address: $0, http: http, limits: self.configuration.engineLimits)
        }
        let failures = StoreFailures(logger: self.logger)
        let store = try await SQLiteMetadataStore(path: directory + "/backfill.sqlite", clock: clock) {
            failures.report($0)
        }
        let node = try await SchedulerNode(
            SchedulerNode.Parts(
                store: store,
                dataDirectory: directory,
                engines: engines,
                platform: platform,
                failures: failures
            ),
            configuration: self.configuration,
            logger: self.logger
        )
        let reloader = TLSReloader(sources: tls.map { [$0] } ?? [], logger: self.logger)
        let files = FileReloader(files: [self.configuration.limits].compactMap(\.self), logger: self.logger)
        try await SchedulerNode.runTogether(node.services + [reloader, files, self.server(node.router, tls)])
    }

    private func server(_ router: RPCRouter, _ tls: TLSContextSource?) -> RPCServer {
        let onListening = self.onListening
        let host = self.configuration.listen.host
        return RPCServer(
            configuration: RPCServerConfiguration(
                host: host,
                port: self.configuration.listen.port,
                tls: tls.map { RPCServerTLS(source: $0, access: self.configuration.access) },
                limits: self.configuration.rpcLimits,
                drainTimeout: self.configuration.rpcDrainTimeout,
                drainNoticeTimeout: self.configuration.rpcDrainNoticeTimeout
            ),
            router: router,
            logger: self.logger
        ) { address in
            onListening(address.ipAddress ?? host, address.port ?? 0)
        }
    }
}
