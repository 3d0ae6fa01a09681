import CurlHTTP
public import Logging
import NIOCore
import NIOPosix
import ProtoRPC
import SchedulerDrivers
import SchedulerEngines
import SchedulerStores
public import ServiceLifecycle
import Settings

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
        let driver = ExternalDriver(engines: self.configuration.engines)
        try await driver.withEngines { engines in try await self.serve(engines) }
    }

    private func serve(_ addresses: [EngineAddress]) async throws {
        let threads = NIOThreadPool(numberOfThreads: Self.fileThreads)
        let commitThreads = NIOThreadPool(numberOfThreads: Self.commitThreads)
        threads.start()
        commitThreads.start()
        let http = CurlClient(CurlClient.Configuration())
        let result: Result<Void, any Error>
        do {
            result = .success(try await self.serve(addresses, http, threads, commitThreads))
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
        _ http: CurlClient,
        _ threads: NIOThreadPool,
        _ commitThreads: NIOThreadPool
    ) async throws {
        let time = SystemTime.system
        let directory = self.configuration.dataDirectory
        let blobs = try await threads.runIfActive {
            try FileNames.makeDirectory(directory)
            return try LocalBlobStore(directory: directory)
        }
        let store = try await SQLiteMetadataStore(path: directory + "/backfill.sqlite")
        let files = FileBytes(blobs: blobs, threads: threads)
        let dispatcher = Dispatcher(retry: self.configuration.retry, time: time, logger: self.logger)
        let engines = addresses.map { address in
            let client = EngineClient(address: address, http: http, limits: self.configuration.engineLimits)
            return (dispatcher.add(client, concurrency: self.configuration.engineConcurrency), client)
        }
        let environment = JobEnvironment(
            store: store,
            files: files,
            dispatcher: dispatcher,
            jobsDirectory: directory + "/jobs",
            threads: threads,
            commitThreads: commitThreads,
            time: time,
            drainGrace: self.configuration.drainGrace
        )
        let runner = JobRunner(
            environment: environment,
            maximumRunning: self.configuration.maximumRunningBatches,
            logger: self.logger
        )
        let uploads = UploadRegistry(bytes: files, time: time)
        var router = RPCRouter()
        FilesHandlers(store: store, bytes: files, uploads: uploads, runner: runner, time: time).register(in: &router)
        BatchesHandlers(store: store, runner: runner, time: time).register(in: &router)
        StatusHandlers(dispatcher: dispatcher, runner: runner, startedAt: time.unixSeconds).register(in: &router)
        let monitor = EngineMonitor(engines: engines, dispatcher: dispatcher, logger: self.logger)
        try await self.runTogether([dispatcher, monitor, runner, uploads, self.server(router)])
    }

    private func server(_ router: RPCRouter) -> RPCServer {
        let onListening = self.onListening
        let host = self.configuration.listen.host
        return RPCServer(
            configuration: RPCServerConfiguration(host: host, port: self.configuration.listen.port),
            router: router,
            logger: self.logger
        ) { address in
            onListening(address.ipAddress ?? host, address.port ?? 0)
        }
    }

    /// Runs services until all have ended; the first failure ends the others. Graceful shutdown reaches each of them.
    private func runTogether(_ services: [any Service]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services {
                group.addTask { try await service.run() }
            }
            try await group.waitForAll()
        }
    }
}
