import Logging
import NIOPosix
import SchedulerCore
import SchedulerStores
import StoresTestSupport
import Synchronization
import TestSupport

@testable import SchedulerService

/// A scheduler's lease, begun and not renewed any more.
struct LeaseOwner {
    let directory: TemporaryDirectory
    let clock = ManualClock()
    let beforeSync = SyncHook()
    let platform: Platform
    let ownership: OwnershipKeeper
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() async throws {
        let directory = try TemporaryDirectory()
        self.directory = directory
        let clock = self.clock
        self.platform = Platform(
            files: self.beforeSync.files,
            threads: NIOThreadPool.singleton,
            commitThreads: NIOThreadPool.singleton,
            time: SystemTime(
                monotonicMilliseconds: { clock.now },
                bootMilliseconds: { clock.now },
                unixMilliseconds: { clock.now },
                sleep: { _ in try await Task.sleep(for: .milliseconds(1)) }
            ),
            random: { 1 },
            endsGracefully: false
        )
        self.ownership = OwnershipKeeper(
            instance: "x",
            terms: LeaseTerms(),
            store: MemoryMetadataStore(clock: LeaseClock(period: "test") { clock.now }),
            instances: InstanceLocks(dataDirectory: directory.path, files: self.beforeSync.files),
            platform: self.platform,
            logger: self.logger
        )
        let ownership = self.ownership
        let keeping = Task { try await ownership.run() }
        while ownership.owner == nil { await Task.yield() }
        keeping.cancel()
        try await keeping.value
    }

    func log() throws -> ResultLog {
        try ResultLog(
            directory: self.directory.path,
            job: "batch_1",
            accepted: [],
            epoch: 1,
            files: self.beforeSync.files
        )
    }

    /// A job whose input is these bytes, with a plan of as many lines.
    func job(lines: Int, input: [UInt8] = [], plan: [UInt8] = []) throws -> RunningJob {
        let log = try self.log()
        let committer = try self.committer(lines: lines, log)
        let results = EarlyResults(
            batchID: "batch_1",
            reader: PlanReader(input: BytesInMemory(input), plan: BytesInMemory(plan), lines: lines),
            log: log,
            committer: committer
        )
        return RunningJob(
            number: 1,
            id: "batch_1",
            endpoint: "/v1",
            dispatchClass: .batch,
            committer: committer,
            results: results
        )
    }

    func committer(
        lines: Int,
        _ log: ResultLog? = nil,
        onCommit: @escaping @Sendable (_ bytes: Int) -> Void = { _ in }
    ) throws -> JobCommitter {
        JobCommitter(
            log: try log ?? self.log(),
            index: try LocationIndex(path: self.directory.path + "/index", lines: lines, files: self.beforeSync.files),
            progress: LineProgress(total: lines),
            ownership: self.ownership,
            platform: self.platform,
            logger: self.logger,
            onCommit: onCommit
        )
    }
}

/// A blob of bytes in memory.
private struct BytesInMemory: BlobReader {
    private let content: [UInt8]

    init(_ content: [UInt8]) { self.content = content }

    var bytes: Int64 { Int64(self.content.count) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        let bytes = try self.read(count: buffer.count, at: offset)
        buffer.copyBytes(from: bytes)
        return bytes.count
    }

    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        Array(self.content.dropFirst(Int(offset)).prefix(count))
    }
}

final class ManualClock: Sendable {
    private let time = Atomic<Int64>(1)

    var now: Int64 { self.time.load(ordering: .sequentiallyConsistent) }

    func advance(by milliseconds: Int64) {
        self.time.add(milliseconds, ordering: .sequentiallyConsistent)
    }
}

/// What happens before each sync.
final class SyncHook: Sendable {
    private let action = Mutex<@Sendable () -> Void>({})

    func set(_ action: @escaping @Sendable () -> Void) { self.action.withLock { $0 = action } }

    var files: ObservedFileSystem {
        ObservedFileSystem { operation, _ in
            if operation == .syncData { self.action.withLock { $0 }() }
        }
    }
}
