package import Logging
package import ProtoRPC
import SchedulerCore
package import SchedulerEngines
package import SchedulerStores
package import ServiceLifecycle

/// A scheduler without its sockets: everything between the RPC router and the stores, on an injected platform.
package struct SchedulerNode: Sendable {
    /// Answers calls.
    package let router: RPCRouter
    /// Run together until shutdown; the first failure ends all.
    package let services: [any Service]
    /// Names the scheduler as long as it runs; its leases begin with it.
    package let instance: String
    /// Held as long as the scheduler runs: others see that it is alive.
    private let lock: any FileLock

    /// What a node stores with and sends to.
    package struct Parts: Sendable {
        /// Records and leases.
        package var store: any MetadataStore
        /// Where bytes are, and the directory of job files.
        package var dataDirectory: String
        /// Requests go here.
        package var engines: [any Engine]
        /// Files, threads, clocks.
        package var platform: Platform
        /// Where the store reports failures; nil: it reports none by itself.
        package var failures: StoreFailures?

        /// Gathers them.
        package init(
            store: any MetadataStore,
            dataDirectory: String,
            engines: [any Engine],
            platform: Platform,
            failures: StoreFailures? = nil
        ) {
            self.store = store
            self.dataDirectory = dataDirectory
            self.engines = engines
            self.platform = platform
            self.failures = failures
        }
    }

    /// Makes a node; its services do not run yet.
    /// - Throws: `FileError` or `StoreError` when the data directory cannot be used.
    package init(_ parts: Parts, configuration: SchedulerConfiguration, logger: Logger) async throws {
        let failures = parts.failures ?? StoreFailures(logger: logger)
        var watched = parts.platform.watched(by: failures)
        watched.time = watched.time.doubtingTheWallClock(newest: await Self.newestTime(parts.store), logger: logger)
        let platform = watched
        let directory = parts.dataDirectory
        let instance = "scheduler-" + ObjectID.hex(platform.random())
        let instances = InstanceLocks(dataDirectory: directory, files: platform.files)
        let (lock, blobs) = try await platform.threads.run {
            try platform.files.makeDirectory(directory)
            let lock = try instances.lock(instance)
            return (lock, try LocalBlobStore(directory: directory, instance: instance, files: platform.files))
        }
        self.lock = lock
        self.instance = instance
        let bytes = FileBytes(blobs: blobs, threads: platform.threads)
        let ownership = OwnershipKeeper(
            instance: instance,
            terms: configuration.lease,
            store: parts.store,
            instances: instances,
            platform: platform,
            logger: logger
        )
        let dispatcher = Dispatcher(
            retry: configuration.retry,
            reserve: OnlineReserve(percent: configuration.onlineReserve),
            ownership: ownership,
            platform: platform,
            logger: logger
        )
        let environment = JobEnvironment(
            store: parts.store,
            bytes: bytes,
            dispatcher: dispatcher,
            ownership: ownership,
            platform: platform,
            jobsDirectory: directory + "/jobs",
            drainGrace: configuration.drainGrace
        )
        let sweeper = Sweeper(
            environment: environment,
            instances: instances,
            interval: configuration.sweepInterval,
            logger: logger
        )
        let runner = JobRunner(
            environment: environment,
            maximumRunning: configuration.maximumRunningBatches,
            logger: logger
        ) { sweeper.inputWasReleased($0) }
        ownership.observe(onBegin: { runner.somethingIsNew() }, onLost: { await runner.abandonAll() })
        let uploads = UploadRegistry(bytes: bytes, platform: platform)
        let composer = UploadComposer(
            completion: UploadCompletion(
                records: UploadRecords(store: parts.store),
                bytes: bytes,
                ownership: ownership,
                sweeper: sweeper,
                platform: platform
            ),
            logger: logger
        )
        let engines = parts.engines.map {
            (index: dispatcher.add($0, concurrency: configuration.engineConcurrency), client: $0)
        }
        self.services = [
            StoreFailureWatch(failures: failures, platform: platform), ownership, dispatcher,
            EngineMonitor(engines: engines, dispatcher: dispatcher, platform: platform, logger: logger), runner,
            ProgressReporter(runner: runner, environment: environment, logger: logger), uploads, composer, sweeper,
        ]
        let quotas = TenantQuotas(limits: configuration.limits)
        var router = RPCRouter()
        FilesHandlers(
            store: parts.store,
            bytes: bytes,
            uploads: uploads,
            ownership: ownership,
            sweeper: sweeper,
            quotas: quotas,
            platform: platform,
            logger: logger
        ).register(in: &router)
        UploadsHandlers(
            store: parts.store,
            uploads: uploads,
            composer: composer,
            ownership: ownership,
            sweeper: sweeper,
            quotas: quotas,
            platform: platform,
            lifetimeSeconds: configuration.uploadLifetime.components.seconds
        ).register(in: &router)
        BatchesHandlers(
            store: parts.store,
            bytes: bytes,
            inputs: InputComposer(uploads: uploads, ownership: ownership, platform: platform),
            quotas: quotas,
            runner: runner,
            platform: platform,
            logger: logger
        ).register(in: &router)
        InferenceHandlers(dispatcher: dispatcher).register(in: &router)
        StatusHandlers(
            store: parts.store,
            dispatcher: dispatcher,
            runner: runner,
            startedAt: platform.time.unixSeconds
        ).register(in: &router)
        self.router = router
    }

    /// When the newest object was made, in Unix milliseconds. Without it the clock has no bound, which does no harm.
    private static func newestTime(_ store: any MetadataStore) async -> Int64? {
        var newest: Int64?
        for kind in [RecordKind.batch, .file] {
            guard let id = try? await store.list(RecordQuery(kind: kind, limit: 1)).first?.key.id else { continue }
            newest = [newest, ObjectID.unixMilliseconds(of: id)].compactMap { $0 }.max()
        }
        return newest
    }

    /// Runs services until all have ended; the first failure ends the others. Graceful shutdown reaches each of them.
    package static func runTogether(_ services: [any Service]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for service in services {
                group.addTask { try await service.run() }
            }
            // Not `waitForAll`, which waits for all of them even after a failure.
            for try await _ in group {}
        }
    }
}
