import CurlHTTP
import SchedulerCore
import SchedulerEngines
import SchedulerStores
import Synchronization
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
        let owner = try await LeaseOwner()
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

    @Test("a pause holds against who has read the batch before it")
    func anEarlierReadingDoesNotEndAPause() async throws {
        let owner = try await LeaseOwner()
        let engine = CountingEngine()
        let dispatcher = Dispatcher(
            retry: RetryPolicy(),
            ownership: owner.ownership,
            platform: owner.platform,
            logger: owner.logger
        )
        let index = dispatcher.add(engine, concurrency: 8)
        dispatcher.engineIsReady(index, models: ["m"])
        let job = try owner.job(lines: 1)
        dispatcher.setPaused(true, job, version: 2)
        dispatcher.setPaused(false, job, version: 1)
        dispatcher.offer([LineRequest(job: job, line: 0, model: "m", body: [])], of: job, model: "m")
        #expect(engine.sent.withLock { $0 } == 0)
        dispatcher.setPaused(false, job, version: 3)
        #expect(engine.sent.withLock { $0 } == 1)
    }

    @Test("I-08 T-28 answers whose sync ends after the lease do not count")
    func answersThatAreSyncedTooLateDoNotCount() async throws {
        let owner = try await LeaseOwner()
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

    @Test("answers that a failed log cannot take wait for their commit no more")
    func answersOfAFailedLogAreDropped() async throws {
        let owner = try await LeaseOwner()
        let given = Mutex(0)
        let committer = try owner.committer(lines: 3) { bytes in given.withLock { $0 += bytes } }
        let (ends, end) = AsyncStream<Void>.makeStream()
        committer.whenEnded { _ in end.yield() }
        owner.clock.advance(by: LeaseTerms().duration)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await committer.run() }
            committer.commit(Self.line)
            // Those that come once the log has failed, as they do until nothing is at an engine any more.
            _ = await ends.first { _ in true }
            for _ in 0..<2 { committer.commit(Self.line) }
            committer.finish()
        }
        #expect(given.withLock { $0 } == 3 * Self.line.bytes)
    }

    @Test func answersThatAreSyncedInTimeCount() async throws {
        let owner = try await LeaseOwner()
        let committer = try owner.committer(lines: 1)
        owner.beforeSync.set { owner.clock.advance(by: LeaseTerms().activity) }
        committer.commit(Self.line)
        committer.finish()
        await committer.run()
        #expect(committer.snapshot.completed == 1)
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
