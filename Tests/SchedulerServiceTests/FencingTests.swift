import CurlHTTP
import Foundation
import Logging
import NIOPosix
import SchedulerCore
import SchedulerEngines
import SchedulerStores
import StoresTestSupport
import Synchronization
import TestSupport
import Testing
@testable import SchedulerService

/// An owner whose lease ends while it is not looking.
@Suite(.timeLimit(.minutes(1)))
struct FencingTests {
    private static let line = LineAnswer(
        line: 0,
        attempts: 1,
        content: .answered(status: 200, requestID: "r", body: Array("{}".utf8))
    )

    @Test("I-08 T-28 nothing is sent without a lease")
    func nothingIsSentWithoutALease() async throws {
        let owner = try await Owner()
        let engine = CountingEngine()
        let dispatcher = Dispatcher(
            retry: RetryPolicy(),
            ownership: owner.ownership,
            platform: owner.platform,
            logger: owner.logger
        )
        let index = dispatcher.add(engine, concurrency: 8)
        dispatcher.engineIsReady(index, models: ["m"])
        let job = try owner.job(lines: 2)
        let lines = (0..<2).map { LineRequest(job: job, line: $0, model: "m", body: []) }
        dispatcher.offer([lines[0]], of: job, model: "m")
        #expect(engine.sent.withLock { $0 } == 1)
        owner.clock.advance(by: LeaseTerms().activity)
        dispatcher.offer([lines[1]], of: job, model: "m")
        #expect(engine.sent.withLock { $0 } == 1)
    }

    @Test("I-08 T-28 answers whose sync ends after the lease do not count")
    func answersThatAreSyncedTooLateDoNotCount() async throws {
        let owner = try await Owner()
        let committer = try owner.committer(lines: 1)
        let end = Mutex<Result<Void, any Error>?>(nil)
        committer.whenEnded { result in end.withLock { $0 = result } }
        owner.beforeSync.set { owner.clock.advance(by: LeaseTerms().duration) }
        committer.commit(Self.line)
        committer.finish()
        await committer.run()
        #expect(committer.snapshot.completed == 0)
        #expect(throws: StoreError.fenced) { try end.withLock { $0 }?.get() }
    }

    @Test func answersThatAreSyncedInTimeCount() async throws {
        let owner = try await Owner()
        let committer = try owner.committer(lines: 1)
        owner.beforeSync.set { owner.clock.advance(by: LeaseTerms().activity) }
        committer.commit(Self.line)
        committer.finish()
        await committer.run()
        #expect(committer.snapshot.completed == 1)
    }
}

/// A scheduler's lease, begun and not renewed any more.
private struct Owner {
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

    func job(lines: Int) throws -> RunningJob {
        let committer = try self.committer(lines: lines)
        let input = NoBytes()
        let results = EarlyResults(
            batchID: "batch_1",
            reader: PlanReader(input: input, plan: input, lines: lines),
            log: try self.log(),
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

    func committer(lines: Int) throws -> JobCommitter {
        JobCommitter(
            log: try self.log(),
            index: try LocationIndex(path: self.directory.path + "/index", lines: lines, files: self.beforeSync.files),
            progress: LineProgress(total: lines),
            ownership: self.ownership,
            platform: self.platform,
            logger: self.logger
        ) { _ in }
    }
}

/// An empty blob.
private struct NoBytes: BlobReader {
    let bytes: Int64 = 0

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int { 0 }

    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] { [] }
}

private final class ManualClock: Sendable {
    private let time = Atomic<Int64>(1)

    var now: Int64 { self.time.load(ordering: .sequentiallyConsistent) }

    func advance(by milliseconds: Int64) {
        self.time.add(milliseconds, ordering: .sequentiallyConsistent)
    }
}

/// Takes every line and never answers.
private final class CountingEngine: Engine {
    let address = EngineAddress(url: "http://engine")
    let sent = Mutex(0)

    func send(
        path _: String,
        body _: [UInt8],
        requestID _: String,
        group _: TransferGroup,
        onAnswer _: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        self.sent.withLock { $0 += 1 }
    }

    func stream(_: StreamedRequest, onEnd: @escaping @Sendable (EngineAnswer) -> Void) {
        onEnd(.failed(AttemptFailure(kind: .unsendable, mayHaveRun: false, message: "only whole requests are counted")))
    }

    func models() async throws(AttemptFailure) -> [String] { ["m"] }
}

/// What happens before each sync.
private final class SyncHook: Sendable {
    private let action = Mutex<@Sendable () -> Void>({})

    func set(_ action: @escaping @Sendable () -> Void) { self.action.withLock { $0 = action } }

    var files: ObservedFileSystem {
        ObservedFileSystem { operation, _ in
            if operation == .syncData { self.action.withLock { $0 }() }
        }
    }
}
