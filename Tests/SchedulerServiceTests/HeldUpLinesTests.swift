import CurlHTTP
import SchedulerCore
import SchedulerEngines
import Synchronization
import Testing

@testable import SchedulerService

/// Lines that wait for a time, of which no event tells.
@Suite(.timeLimit(.minutes(1)))
struct HeldUpLinesTests {
    /// Runs a dispatcher with one engine while `body` uses it.
    private func withDispatcher(
        answers: [EngineAnswer] = [],
        _ body: @Sendable @escaping (LeaseOwner, Dispatcher, AnsweringEngine) async throws -> Void
    ) async throws {
        let owner = try await LeaseOwner()
        let engine = AnsweringEngine(answers)
        let dispatcher = Dispatcher(
            retry: RetryPolicy(),
            ownership: owner.ownership,
            platform: owner.platform,
            logger: owner.logger
        )
        let index = dispatcher.add(engine, concurrency: 8)
        dispatcher.engineIsReady(index, models: ["m"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await dispatcher.run() }
            try await body(owner, dispatcher, engine)
            group.cancelAll()
        }
    }

    private func offer(to dispatcher: Dispatcher, _ owner: LeaseOwner) throws {
        let job = try owner.job(lines: 1)
        dispatcher.offer([LineRequest(job: job, line: 0, model: "m", body: [])], of: job, model: "m")
    }

    @Test("T-15 a line that is to be tried again later goes when its time has come")
    func delayedLinesGo() async throws {
        let failed = EngineAnswer.answered(EngineResponse(status: 500, body: []))
        try await self.withDispatcher(answers: [failed]) { owner, dispatcher, engine in
            try self.offer(to: dispatcher, owner)
            #expect(engine.sent == 1)
            // The first pause is 500 ms at most.
            owner.clock.advance(by: 500)
            await engine.untilSent(2)
        }
    }

    @Test("T-15 lines of an engine that was full go when it no longer is")
    func linesOfAFullEngineGo() async throws {
        try await self.withDispatcher { owner, dispatcher, engine in
            dispatcher.note(.busy(forMilliseconds: 1_000), about: 0, .cancelled)
            try self.offer(to: dispatcher, owner)
            #expect(engine.sent == 0)
            owner.clock.advance(by: 1_000)
            await engine.untilSent(1)
        }
    }

    @Test("I-08 lines that waited for the lease go when there is one")
    func linesThatWaitedForTheLeaseGo() async throws {
        try await self.withDispatcher { owner, dispatcher, engine in
            owner.clock.advance(by: LeaseTerms().activity)
            try self.offer(to: dispatcher, owner)
            #expect(engine.sent == 0)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await owner.ownership.run() }
                await engine.untilSent(1)
                group.cancelAll()
            }
        }
    }
}

/// Gives its answers one after the other, and then none.
private final class AnsweringEngine: Engine {
    let address = EngineAddress(url: "http://engine")
    private let answers: Mutex<[EngineAnswer]>
    private let count = Atomic<Int>(0)

    init(_ answers: [EngineAnswer]) { self.answers = Mutex(answers) }

    var sent: Int { self.count.load(ordering: .sequentiallyConsistent) }

    func untilSent(_ count: Int) async {
        while self.sent < count, !Task.isCancelled { await Task.yield() }
    }

    func send(
        path _: String,
        body _: [UInt8],
        requestID _: String,
        group _: TransferGroup,
        onAnswer: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        self.count.add(1, ordering: .sequentiallyConsistent)
        let answer = self.answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if let answer { onAnswer(answer) }
    }

    func stream(_: StreamedRequest, onEnd: @escaping @Sendable (EngineAnswer) -> Void) {
        onEnd(.failed(AttemptFailure(kind: .unsendable, mayHaveRun: false, message: "no streams here")))
    }

    func models() async throws(AttemptFailure) -> [String] { ["m"] }
}
