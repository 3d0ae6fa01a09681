import Logging
import NIOPosix
import SchedulerCore
import SchedulerStores
import ServiceLifecycle
import Synchronization

/// Runs batches, many at a time: those found unfinished at the start, and each new one as it is created.
final class JobRunner: Service {
    /// What a running job can be asked from outside.
    private struct Active {
        var job: RunningJob?
        var inputFileID: String
        var models: [String] = []
    }

    private struct State {
        var active: [String: Active] = [:]
        var queued: [String] = []
        var nextNumber = 0
        var isStopping = false
    }

    private let state = Mutex(State())
    private let environment: JobEnvironment
    private let maximumRunning: Int
    private let logger: Logger
    private let arrivals: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation

    init(environment: JobEnvironment, maximumRunning: Int, logger: Logger) {
        self.environment = environment
        self.maximumRunning = maximumRunning
        self.logger = logger
        (self.arrivals, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes up what is unfinished, then whatever is enqueued, until shutdown. A batch that is cut off goes on after
    /// the next start.
    func run() async throws {
        try await self.enqueueUnfinished()
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                for await _ in self.arrivals {
                    while let id = self.nextToStart() {
                        group.addTask { try await self.run(id) }
                    }
                }
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// Nothing new is started; what runs keeps its answers and stops.
    private func stop() {
        self.arrival.finish()
        let jobs = self.state.withLock { state in
            state.isStopping = true
            return state.active.values.compactMap(\.job)
        }
        for job in jobs { job.send(.suspended) }
    }

    /// Takes a stored batch. Asking again for one that is known is harmless.
    func enqueue(_ id: String, inputFileID: String) {
        self.state.withLock { state in
            guard state.active[id] == nil else { return }
            state.active[id] = Active(inputFileID: inputFileID)
            state.queued.append(id)
        }
        self.arrival.yield()
    }

    /// A stored cancellation: tells the job.
    func cancelWasRequested(_ id: String) {
        self.state.withLock { $0.active[id]?.job }?.send(.cancelRequested)
    }

    /// Whether a batch that has not ended reads this file.
    func uses(inputFileID: String) -> Bool {
        self.state.withLock { state in state.active.values.contains { $0.inputFileID == inputFileID } }
    }

    /// How far a running batch is; nil when it is not running here.
    func progress(of id: String) -> (counts: RequestCounts, usage: TokenUsage, waitingReason: String?)? {
        guard let active = self.state.withLock({ $0.active[id] }), let job = active.job else { return nil }
        let progress = job.committer.snapshot
        let reason =
            job.isEnding || progress.isComplete
            ? nil : job.committer.waitingReason ?? self.environment.dispatcher.waitingReason(models: active.models)
        let counts = RequestCounts(total: progress.total, completed: progress.completed, failed: progress.failed)
        return (counts, progress.usage, reason)
    }

    /// Batches that run now and batches that wait for a place.
    var load: (running: Int, queued: Int) {
        self.state.withLock { ($0.active.count - $0.queued.count, $0.queued.count) }
    }

    private func nextToStart() -> String? {
        self.state.withLock { state in
            guard state.active.count - state.queued.count < self.maximumRunning, !state.queued.isEmpty else {
                return nil
            }
            return state.queued.removeFirst()
        }
    }

    private func enqueueUnfinished() async throws {
        var after: String?
        while true {
            let page = try await self.environment.store.list(
                RecordQuery(kind: .batch, label: BatchRecord.activeLabel, after: after, ascending: true, limit: 100)
            )
            for stored in page {
                do throws(StoreError) {
                    let batch = try stored.decoded(BatchRecord.self).object
                    self.enqueue(batch.id, inputFileID: batch.inputFileID)
                } catch {
                    self.logger.error("a batch is left alone", metadata: ["error": "\(error)"])
                }
            }
            guard let last = page.last else { return }
            after = last.key.id
        }
    }

    /// Runs one batch to its end. Only a broken store ends the scheduler; a broken batch ends itself.
    private func run(_ id: String) async throws {
        let number = self.state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        var logger = self.logger
        logger[metadataKey: "batch"] = "\(id)"
        let run = BatchRun(id: id, number: number, environment: self.environment, logger: logger) { job, models in
            let isStopping = self.state.withLock { state in
                state.active[id]?.job = job
                state.active[id]?.models = models
                return state.isStopping
            }
            if isStopping { job.send(.suspended) }
        }
        defer {
            _ = self.state.withLock { $0.active.removeValue(forKey: id) }
            self.arrival.yield()
        }
        do {
            let ended = try await run.toEnd()
            try await self.releaseInput(of: ended)
        } catch is CancellationError {
            logger.notice("batch goes on after the next start")
        } catch let error as FileError where !error.isOutOfSpace && !error.isMissing {
            logger.critical("the data directory is broken", metadata: ["error": "\(error)"])
            throw error
        } catch {
            logger.error("batch is left alone until the next start", metadata: ["error": "\(error)"])
        }
    }

    /// The input of an ended batch goes when its file was deleted meanwhile and nobody else reads it.
    private func releaseInput(of batch: BatchRecord) async throws {
        _ = self.state.withLock { $0.active.removeValue(forKey: batch.id) }
        guard try await self.environment.store.get(RecordKey(.file, batch.inputFileID)) == nil,
            !self.uses(inputFileID: batch.inputFileID)
        else { return }
        try await self.environment.files.removeBytes(of: batch.inputFileID)
    }
}
