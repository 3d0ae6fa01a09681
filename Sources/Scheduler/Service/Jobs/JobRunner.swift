import Logging
import SchedulerCore
import SchedulerStores
import ServiceLifecycle
import Synchronization

/// Runs batches, many at a time: claims what nobody runs, oldest first, as long as there is room.
final class JobRunner: Service {
    /// Most batches claimed before the first of them begins: each claim is a write of its own.
    private static let claimedAtOnce = 8
    /// Batches that only have to end may run beside the others.
    private static let roomForEnding = 32
    /// Every so many looks the batches that wait are looked through for windows that are over.
    private static let looksPerExpiryLook = 10
    /// First and longest pause before a batch is tried again after a failure of the store.
    private static let firstPause = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(30)

    private struct State {
        var active: [String: ActiveBatch] = [:]
        var nextNumber = 0
        var looks = 0
        var hasTakenUpQuarantined = false
        var isStopping = false
        /// Claims of batches that have ended or were left, and whose they are.
        var released: [(keys: [String], owner: String)] = []
    }

    private let state = Mutex(State())
    private let environment: JobEnvironment
    private let claimer: BatchClaimer
    private let maximumRunning: Int
    private let logger: Logger
    /// Called with the input of each batch that has ended here.
    private let onEnd: @Sendable (_ inputFileID: String) -> Void
    private let looks: AsyncStream<Void>
    private let look: AsyncStream<Void>.Continuation
    private let waiters = Waiters()

    init(
        environment: JobEnvironment,
        maximumRunning: Int,
        logger: Logger,
        onEnd: @escaping @Sendable (_ inputFileID: String) -> Void
    ) {
        self.environment = environment
        self.claimer = BatchClaimer(environment: environment, logger: logger)
        self.maximumRunning = maximumRunning
        self.logger = logger
        self.onEnd = onEnd
        (self.looks, self.look) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Claims and runs batches until shutdown. A batch that is cut off goes on after the next start, or elsewhere.
    /// - Throws: what shows that the store must not be used any more, such as a failed sync.
    func run() async throws {
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.runClaims() }
                group.addTask { await self.lookNowAndThen() }
                try await group.next()
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.suspendAll(isStopping: true)
        }
    }

    private func runClaims() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for await _ in self.looks {
                await self.giveBackClaims()
                await self.passOnCancellations()
                let claimed = await self.claim()
                for batch in claimed {
                    group.addTask { try await self.run(batch) }
                }
                if claimed.count >= Self.claimedAtOnce { self.look.yield() }
            }
        }
        await self.environment.ownership.end()
    }

    /// Looks through the stored batches for one to claim, or one that was cancelled elsewhere.
    private func lookNowAndThen() async {
        while !Task.isCancelled {
            self.look.yield()
            try? await self.environment.platform.time.sleep(self.environment.ownership.lookInterval)
        }
    }
}

// MARK: - Asked from outside

extension JobRunner {
    /// There may be a batch to claim.
    func somethingIsNew() {
        self.look.yield()
    }

    /// A stored cancellation: tells the batch if it runs here.
    func cancelWasRequested(_ id: String) {
        self.state.withLock { $0.active[id]?.job }?.send(.cancelRequested)
    }

    /// A batch's record as it is stored under a version: tells the batch, if it runs here, whether it is paused.
    func noteWish(_ record: BatchRecord, version: Int64) {
        guard let job = self.state.withLock({ $0.active[record.id]?.job }), !job.isEnding else { return }
        self.environment.dispatcher.setPaused(record.pausedAt != nil, job, version: version)
    }

    /// What keeps a batch that runs here from storing its results; nil: nothing.
    func trouble(of id: String) -> String? {
        self.state.withLock { state in state.active[id].flatMap { $0.trouble ?? $0.job?.committer.waitingReason } }
    }

    /// What a batch that runs here has so far; nil: it does not run here.
    func results(of id: String) -> EarlyResults? {
        self.state.withLock { $0.active[id]?.job?.results }
    }

    /// What runs here.
    var activeBatches: [ActiveBatch] {
        self.state.withLock { state in state.active.values.sorted { $0.id < $1.id } }
    }

    /// The lease is lost: stops everything and returns when it has stopped.
    func abandonAll() async {
        self.suspendAll(isStopping: false)
        while true {
            let generation = self.waiters.generation
            guard !Task.isCancelled, !self.state.withLock({ $0.active.isEmpty }) else { return }
            await self.waiters.wait(since: generation)
        }
    }

    /// What runs keeps its answers and stops; when the scheduler stops nothing new is started.
    private func suspendAll(isStopping: Bool) {
        let jobs = self.state.withLock { state in
            if isStopping { state.isStopping = true }
            for id in state.active.keys { state.active[id]?.isAbandoned = true }
            return state.active.values.compactMap(\.job)
        }
        if isStopping { self.look.finish() }
        for job in jobs { job.send(.suspended) }
    }
}

// MARK: - Claims

extension JobRunner {
    private func claim() async -> [ActiveBatch] {
        var claimed: [ActiveBatch] = []
        guard let owner = self.environment.ownership.owner, self.environment.ownership.mayAct else { return [] }
        guard let (active, room) = self.room() else { return [] }
        do {
            if !self.state.withLock({ $0.hasTakenUpQuarantined }) {
                try await self.claimer.takeUpQuarantined()
                self.state.withLock { $0.hasTakenUpQuarantined = true }
            }
            for batch in try await self.claimer.claim(for: owner, besides: active, room) {
                if self.begin(batch) { claimed.append(batch) }
            }
        } catch {
            self.logger.warning("no batch can be claimed", metadata: ["error": "\(error)"])
        }
        return claimed
    }

    /// What runs and what may be claimed beside it; nil: the scheduler stops.
    private func room() -> (active: Set<String>, room: BatchClaimer.Room)? {
        self.state.withLock { state in
            guard !state.isStopping else { return nil }
            state.looks += 1
            let room = BatchClaimer.Room(
                forRunning: min(max(self.maximumRunning - state.active.count, 0), Self.claimedAtOnce),
                forEnding: max(self.maximumRunning + Self.roomForEnding - state.active.count, 0),
                looksForExpired: state.looks % Self.looksPerExpiryLook == 0
            )
            return (Set(state.active.keys), room)
        }
    }

    /// Takes note of a claimed batch; false when it must not start any more.
    private func begin(_ batch: ActiveBatch) -> Bool {
        self.state.withLock { state in
            guard !state.isStopping, self.environment.ownership.owner == batch.owner else { return false }
            state.nextNumber += 1
            state.active[batch.id] = batch
            state.active[batch.id]?.number = state.nextNumber
            return true
        }
    }

    /// Cancellations that another scheduler stored.
    private func passOnCancellations() async {
        guard self.state.withLock({ !$0.active.isEmpty }) else { return }
        let query = RecordQuery(kind: .batch, label: BatchRecord.cancellingLabel, limit: self.maximumRunning)
        for record in (try? await self.environment.store.list(query)) ?? [] {
            self.cancelWasRequested(record.key.id)
        }
    }

    /// The batch has ended or is left.
    private func release(_ batch: ActiveBatch) async {
        await self.environment.platform.wait(if: .waitBeforeRelease)
        self.state.withLock { state in
            state.active[batch.id] = nil
            state.released.append((batch.claims, batch.owner))
        }
        self.waiters.wakeAll()
        self.look.yield()
    }

    /// Claims go unless another batch needs them. Only who claims gives back: what was claimed for a batch that has not
    /// begun yet would look as if nobody needed it.
    private func giveBackClaims() async {
        let claims = self.state.withLock { state in
            defer { state.released = [] }
            let used = Set(state.active.values.flatMap(\.claims))
            return state.released.map { (keys: $0.keys.filter { !used.contains($0) }, owner: $0.owner) }
        }
        // A claim that cannot be given back now ends with the lease.
        for (keys, owner) in claims { try? await self.environment.store.unclaim(keys, of: owner) }
    }
}

// MARK: - One batch

extension JobRunner {
    /// Runs one batch to its end, again and again when the store fails. Only a store that must not be used any more ends
    /// the scheduler.
    private func run(_ claimed: ActiveBatch) async throws {
        var logger = self.logger
        logger[metadataKey: "batch"] = "\(claimed.id)"
        var pause = Self.firstPause
        var failure: FileError?
        var unreadable: String?
        while !self.isAbandoned(claimed.id), !Task.isCancelled {
            do {
                let ended = try await self.attempt(claimed.id, logger)
                self.onEnd(ended.inputFileID)
                break
            } catch is CancellationError {
                logger.notice("the batch goes on later")
                break
            } catch StoreError.fenced {
                logger.notice("the batch is somebody else's now")
                break
            } catch StoreError.gone {
                // Somebody else ended it while this scheduler was not looking, or it could not have been deleted.
                logger.notice("the batch was deleted")
                break
            } catch StoreError.unreadable(let what) where what == unreadable {
                // Damage that was found only while reading is stepped over at the next try; this is still there.
                await self.claimer.quarantine(claimed.id, because: what)
                break
            } catch let error as FileError where error.isFatal {
                logger.critical("the data directory is broken", metadata: ["error": "\(error)"])
                failure = error
                break
            } catch {
                logger.error("the batch is tried again", metadata: ["error": "\(error)", "in": "\(pause)"])
                self.note("the store fails: \(error)", about: claimed.id)
                if case StoreError.unreadable(let what) = error { unreadable = what }
                await self.wait(pause, unlessAbandoned: claimed.id)
                pause = min(pause * 2, Self.longestPause)
            }
        }
        await self.release(claimed)
        if let failure { throw failure }
    }

    private func attempt(_ id: String, _ logger: Logger) async throws -> BatchRecord {
        guard let batch = self.state.withLock({ $0.active[id] }) else { throw CancellationError() }
        let run = BatchRun(
            id: id,
            number: batch.number,
            owner: batch.owner,
            environment: self.environment,
            logger: logger
        ) { job, models in
            let isAbandoned = self.state.withLock { state in
                state.active[id]?.job = job
                state.active[id]?.models = models
                state.active[id]?.trouble = nil
                return state.active[id]?.isAbandoned ?? true
            }
            if isAbandoned { job.send(.suspended) }
        }
        return try await run.toEnd()
    }

    private func note(_ trouble: String, about id: String) {
        self.state.withLock { state in
            state.active[id]?.job = nil
            state.active[id]?.trouble = trouble
        }
    }

    private func isAbandoned(_ id: String) -> Bool {
        self.state.withLock { $0.active[id]?.isAbandoned ?? true }
    }

    private func wait(_ pause: Duration, unlessAbandoned id: String) async {
        var left = pause
        while left > .zero, !self.isAbandoned(id), !Task.isCancelled {
            try? await self.environment.platform.time.sleep(min(left, Self.firstPause))
            left -= Self.firstPause
        }
    }
}
