import Glibc
import NIOPosix
import SchedulerCore
import SchedulerStores
import Synchronization

/// Makes a job's answers durable in groups: while one group is being synced the next one gathers.
///
/// Runs on threads of its own. The sync of the group is the commit point of its lines.
final class JobCommitter: Sendable {
    /// How long a small group waits for company, in microseconds: one sync costs as much as many records.
    private static let lingerMicroseconds: UInt32 = 2_000
    /// A group of this size does not wait.
    private static let groupSize = 256
    /// Pause before a full disk is tried again, in seconds.
    private static let fullDiskPauseSeconds: UInt32 = 1

    private struct Pending {
        var answers: [LineAnswer] = []
        var isScheduled = false
        var whenIdle: [CheckedContinuation<Void, Never>] = []
    }

    private let pending = Mutex(Pending())
    private let progress: Mutex<LineProgress>
    private let trouble = Mutex<String?>(nil)
    private let log: ResultLog
    private let index: LocationIndex
    private let epoch: UInt32
    private let threads: NIOThreadPool
    private let stopped = Atomic<Bool>(false)
    /// Called after each group with its bytes; then, once, when the last line is done or the store failed.
    private let onCommit: @Sendable (_ bytes: Int) -> Void
    private let onEnd = Mutex<(@Sendable (Result<Void, any Error>) -> Void)?>(nil)

    init(
        log: ResultLog,
        index: LocationIndex,
        progress: LineProgress,
        epoch: UInt32,
        threads: NIOThreadPool,
        onCommit: @escaping @Sendable (_ bytes: Int) -> Void
    ) {
        self.log = log
        self.index = index
        self.progress = Mutex(progress)
        self.epoch = epoch
        self.threads = threads
        self.onCommit = onCommit
    }

    /// Sets what is called, once, when every line has a record or the store failed for good.
    func whenEnded(_ body: @escaping @Sendable (Result<Void, any Error>) -> Void) {
        self.onEnd.withLock { $0 = body }
        if self.snapshot.isComplete { self.end(.success(())) }
    }

    /// How far the job is; only what is durable counts.
    var snapshot: LineProgress { self.progress.withLock { $0 } }
    /// Counts and nothing else, for readers that ask often.
    var counts: RequestCounts {
        self.progress.withLock { RequestCounts(total: $0.total, completed: $0.completed, failed: $0.failed) }
    }
    /// Why nothing is committed at the moment, for people.
    var waitingReason: String? { self.trouble.withLock { $0 } }

    /// Takes an answer; never blocks.
    func commit(_ answer: LineAnswer) {
        let start = self.pending.withLock { pending in
            pending.answers.append(answer)
            defer { pending.isScheduled = true }
            return !pending.isScheduled
        }
        if start { self.schedule() }
    }

    /// Waits until everything taken so far is durable.
    func flush() async {
        await withCheckedContinuation { continuation in
            let start = self.pending.withLock { pending in
                pending.whenIdle.append(continuation)
                defer { pending.isScheduled = true }
                return !pending.isScheduled
            }
            if start { self.schedule() }
        }
    }

    /// Gives up a full disk; what is not durable is dropped.
    func stop() {
        self.stopped.store(true, ordering: .relaxed)
    }

    private func schedule() {
        self.threads.submit { _ in self.drain() }
    }

    private func drain() {
        var buffer: [UInt8] = []
        while true {
            self.linger()
            let (answers, idle) = self.pending.withLock { pending in
                let taken = (pending.answers, pending.answers.isEmpty ? pending.whenIdle : [])
                pending.answers = []
                if taken.0.isEmpty {
                    pending.isScheduled = false
                    pending.whenIdle = []
                }
                return taken
            }
            guard !answers.isEmpty else {
                for continuation in idle { continuation.resume() }
                return
            }
            self.write(answers, &buffer)
            self.onCommit(answers.reduce(0) { $0 + $1.bytes })
        }
    }

    private func linger() {
        let count = self.pending.withLock { $0.answers.count }
        if count > 0, count < Self.groupSize { usleep(Self.lingerMicroseconds) }
    }

    /// Writes and syncs one group, then lets its lines count.
    private func write(_ answers: [LineAnswer], _ buffer: inout [UInt8]) {
        buffer.removeAll(keepingCapacity: buffer.count < 4 << 20)
        var entries: [(record: ResultRecordSummary, offset: Int)] = []
        entries.reserveCapacity(answers.count)
        for answer in answers {
            let record = ResultRecord(answer, epoch: self.epoch)
            entries.append((ResultRecordSummary(record), buffer.count))
            record.append(to: &buffer)
        }
        let start = self.log.nextLocation
        guard self.append(buffer) else { return }
        let isComplete = self.progress.withLock { progress in
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
            return progress.isComplete
        }
        if isComplete { self.end(.success(())) }
    }

    /// Appends durably. A full disk is waited for; any other failure ends the job's log.
    private func append(_ bytes: [UInt8]) -> Bool {
        while !self.stopped.load(ordering: .relaxed) {
            do throws(FileError) {
                try self.log.append(bytes)
                self.trouble.withLock { $0 = nil }
                return true
            } catch {
                guard error.isOutOfSpace else {
                    self.end(.failure(error))
                    self.stop()
                    return false
                }
                self.trouble.withLock { $0 = "no space left for results" }
                sleep(Self.fullDiskPauseSeconds)
            }
        }
        return false
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
