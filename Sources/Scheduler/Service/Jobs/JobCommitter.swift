import Logging
import SchedulerCore
import SchedulerStores
import Synchronization

/// Makes a job's answers durable in groups: while one group is being synced the next one gathers.
///
/// The sync of a group is the commit point of its lines, provided that the lease still held then.
final class JobCommitter: Sendable {
    /// How long a small group waits for company: one sync costs as much as many records.
    private static let linger = Duration.milliseconds(2)
    /// A group of this size does not wait.
    private static let groupSize = 256
    /// Pause before a full disk is tried again.
    private static let fullDiskPause = Duration.seconds(1)

    private let pending = Mutex<[LineAnswer]>([])
    private let progress: Mutex<LineProgress>
    private let trouble = Mutex<String?>(nil)
    private let log: ResultLog
    private let index: LocationIndex
    private let ownership: OwnershipKeeper
    private let platform: Platform
    private let logger: Logger
    private let givesUp = Atomic<Bool>(false)
    private let arrivals: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation
    /// Called after each group with its bytes.
    private let onCommit: @Sendable (_ bytes: Int) -> Void
    private let onEnd = Mutex<(@Sendable (Result<Void, any Error>) -> Void)?>(nil)

    init(
        log: ResultLog,
        index: LocationIndex,
        progress: LineProgress,
        ownership: OwnershipKeeper,
        platform: Platform,
        logger: Logger,
        onCommit: @escaping @Sendable (_ bytes: Int) -> Void
    ) {
        self.log = log
        self.index = index
        self.progress = Mutex(progress)
        self.ownership = ownership
        self.platform = platform
        self.logger = logger
        self.onCommit = onCommit
        (self.arrivals, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Sets what is called, once, when every line has a record or the store failed for good.
    func whenEnded(_ body: @escaping @Sendable (Result<Void, any Error>) -> Void) {
        self.onEnd.withLock { $0 = body }
        if self.snapshot.isComplete { self.end(.success(())) }
    }

    /// How far the job is; only what is durable counts.
    var snapshot: LineProgress { self.progress.withLock { $0 } }
    /// The sums and nothing else, for readers that ask often.
    var sums: (counts: RequestCounts, usage: TokenUsage) {
        self.progress.withLock {
            (RequestCounts(total: $0.total, completed: $0.completed, failed: $0.failed), $0.usage)
        }
    }
    /// The next line from `line` on that is durable, and where the records of `count` lines from there are.
    func committed(from line: Int, count: Int) -> (line: Int, locations: [LocationIndex.Location?]) {
        self.progress.withLock { progress in
            let first = progress.done.first(from: line)
            return (first, (first..<min(first + count, progress.total)).map { self.index[$0] })
        }
    }
    /// Why nothing is committed at the moment, for people.
    var waitingReason: String? { self.trouble.withLock { $0 } }

    /// Takes an answer; never blocks.
    func commit(_ answer: LineAnswer) {
        let isFirst = self.pending.withLock { pending in
            pending.append(answer)
            return pending.count == 1
        }
        if isFirst { self.arrival.yield() }
    }

    /// No answer comes any more: `run` ends when everything taken is durable.
    func finish() {
        self.arrival.finish()
    }

    /// A full disk is not waited for any more; what cannot be made durable is dropped.
    func giveUpOnFullDisk() {
        self.givesUp.store(true, ordering: .relaxed)
    }

    /// Commits until `finish`. Once the log has failed, what still comes is dropped: its bytes must not count as waiting
    /// for their commit for ever.
    func run() async {
        var isWorking = true
        for await _ in self.arrivals {
            if isWorking {
                if self.pending.withLock({ $0.count }) < Self.groupSize {
                    try? await self.platform.time.sleep(Self.linger)
                }
                await self.platform.wait(if: .waitBeforeCommit)
            }
            isWorking = await self.takeGroup(isWorking)
        }
        _ = await self.takeGroup(isWorking)
    }

    /// Commits what has gathered, or drops it when the log has failed; false when it has, now or before.
    private func takeGroup(_ isWorking: Bool) async -> Bool {
        let answers = self.pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
        guard !answers.isEmpty else { return isWorking }
        defer { self.onCommit(answers.reduce(0) { $0 + $1.bytes }) }
        guard isWorking else { return false }
        do {
            try await self.append(answers)
            if self.progress.withLock({ $0.isComplete }) { self.end(.success(())) }
            return true
        } catch {
            self.end(.failure(error))
            return false
        }
    }

    /// Appends durably. A full disk is waited for; any other failure ends the job's log.
    private func append(_ answers: [LineAnswer]) async throws {
        while true {
            do {
                try await self.platform.commitThreads.run { try self.write(answers) }
                self.trouble.withLock { $0 = nil }
                return
            } catch let error as FileError where error.isOutOfSpace {
                guard !self.givesUp.load(ordering: .relaxed) else { throw error }
                self.note(trouble: "no space left for results", error)
                try await self.platform.time.sleep(Self.fullDiskPause)
            }
        }
    }

    /// Says once what holds the answers up.
    private func note(trouble text: String, _ error: FileError) {
        let isNew = self.trouble.withLock { trouble in
            defer { trouble = text }
            return trouble != text
        }
        if isNew { self.logger.error("answers wait for their commit", metadata: ["error": "\(error)"]) }
    }

    /// Writes and syncs one group, then lets its lines count. Blocking.
    private func write(_ answers: [LineAnswer]) throws {
        guard self.ownership.mayAct else { throw StoreError.fenced }
        var bytes: [UInt8] = []
        var entries: [(record: ResultRecordSummary, offset: Int)] = []
        entries.reserveCapacity(answers.count)
        for answer in answers {
            let record = ResultRecord(answer, epoch: self.log.format.epoch)
            entries.append((ResultRecordSummary(record), bytes.count))
            record.append(to: &bytes, self.log.format)
        }
        let start = self.log.nextLocation
        try self.log.append(bytes)
        // Whoever claims the job after the end of this lease reads the segment later than now.
        guard self.ownership.holdsLease else { throw StoreError.fenced }
        self.progress.withLock { progress in
            for entry in entries {
                let record = entry.record
                guard progress.record(line: record.line, succeeded: record.succeeded, usage: record.usage) else {
                    continue
                }
                self.index[record.line] = LocationIndex.Location(
                    segment: start.segment,
                    offset: start.offset + Int64(entry.offset),
                    length: record.bytes
                )
            }
        }
    }

    private func end(_ result: Result<Void, any Error>) {
        let body = self.onEnd.withLock { body in
            defer { body = nil }
            return body
        }
        body?(result)
    }
}

/// What is left of a record to count once it is durable.
private struct ResultRecordSummary {
    let line: Int
    let succeeded: Bool
    let usage: TokenUsage
    let bytes: Int

    init(_ record: ResultRecord) {
        self.line = Int(record.line)
        self.succeeded = record.outcome == .success
        self.usage = record.usage
        self.bytes = record.encodedBytes
    }
}
