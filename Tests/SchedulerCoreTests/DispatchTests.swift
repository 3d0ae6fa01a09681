import SchedulerCore
import Testing

struct RetryPolicyTests {
    let policy = RetryPolicy()

    @Test("every status is decided", arguments: Array(100...599))
    func everyStatusIsDecided(_ status: Int) {
        let decision = self.policy.decide(
            .answered(status: status, retryAfterMilliseconds: nil),
            countedAttempts: 0,
            jitter: 0
        )
        switch status {
        case 429, 503:
            #expect(decision.line == .retry(afterMilliseconds: 0, counted: false))
            #expect(decision.engine == .busy(forMilliseconds: 1_000))
        case 408, 500, 502, 504:
            #expect(decision.line == .retry(afterMilliseconds: 250, counted: true))
            #expect(decision.engine == .fine)
        case 404:
            #expect(decision.line == .retry(afterMilliseconds: 250, counted: true))
            #expect(decision.engine == .changed)
        default:
            #expect(decision.line == .record)
            #expect(decision.engine == .fine)
        }
    }

    @Test("T-16 a 404 is believed when the engine has been asked for its models in between")
    func notFoundIsBelievedInTheEnd() {
        let decision = self.policy.decide(
            .answered(status: 404, retryAfterMilliseconds: nil),
            countedAttempts: 1,
            jitter: 0
        )
        #expect(decision.line == .record && decision.engine == .fine)
    }

    @Test("T-15 a line that always fails ends after a bounded number of attempts")
    func poisonLineEnds() {
        var attempts = 0
        while case .retry(let delay, counted: true) = self.policy.decide(
            .answered(status: 500, retryAfterMilliseconds: nil),
            countedAttempts: attempts,
            jitter: 0.999
        ).line {
            #expect(delay <= self.policy.maximumDelayMilliseconds)
            attempts += 1
        }
        #expect(attempts + 1 == self.policy.maximumAttempts)
    }

    @Test(
        "T-15 Retry-After is obeyed within a bound",
        arguments: [(0, 0), (2_000, 2_000), (86_400_000, 60_000), (-5, 0)]
    )
    func retryAfterIsObeyed(_ asked: Int64, _ pause: Int64) {
        let decision = self.policy.decide(
            .answered(status: 429, retryAfterMilliseconds: asked),
            countedAttempts: 3,
            jitter: 0
        )
        #expect(decision.engine == .busy(forMilliseconds: pause))
    }

    @Test("an attempt counts only when it may have run", arguments: AttemptFailure.Kind.allCases, [true, false])
    func onlyWhatMayHaveRunCounts(_ kind: AttemptFailure.Kind, _ mayHaveRun: Bool) {
        let failure = AttemptFailure(kind: kind, mayHaveRun: mayHaveRun, message: "")
        let line = self.policy.decide(.failed(failure), countedAttempts: 0, jitter: 0).line
        switch kind {
        case .unreachable: #expect(line == .retry(afterMilliseconds: 0, counted: false))
        case .broken, .timedOut:
            #expect(line == .retry(afterMilliseconds: mayHaveRun ? 250 : 0, counted: mayHaveRun))
        case .answerTooLarge, .unsendable: #expect(line == .record)
        }
    }
}

struct FairTurnsTests {
    @Test("I-14 owners take turns whatever they have")
    func ownersTakeTurns() {
        var turns = FairTurns<String, Int>()
        turns.append(0..<1_000, for: "large")
        turns.append([1, 2], for: "small")
        let first = (0..<5).compactMap { _ in turns.next()?.owner }
        #expect(first == ["large", "small", "large", "small", "large"])
        #expect(turns.count == 997)
    }

    @Test func aLineGivenBackIsItsOwnersNext() {
        var turns = FairTurns<String, Int>()
        turns.append([1, 2, 3], for: "a")
        let taken = turns.next()?.item
        #expect(taken == 1)
        turns.prepend(1, for: "a")
        #expect((0..<3).compactMap { _ in turns.next()?.item } == [1, 2, 3])
        #expect(turns.next() == nil)
    }

    @Test func aParkedOwnerKeepsItsItemsAndHasNoTurn() {
        var turns = FairTurns<String, Int>()
        turns.append([1], for: "a")
        turns.append([3], for: "b")
        turns.park("a")
        turns.append([2], for: "a")
        #expect(turns.hasNext && turns.next()?.owner == "b" && turns.next() == nil)
        #expect(!turns.hasNext && turns.count == 2)
        turns.unpark("a")
        turns.unpark("a")
        #expect((0..<3).map { _ in turns.next()?.item } == [1, 2, nil])
    }

    @Test func aRemovedOwnerHasNoTurn() {
        var turns = FairTurns<String, Int>()
        turns.append([1, 2], for: "a")
        turns.append([3], for: "b")
        #expect(turns.remove("a") == [1, 2])
        #expect(turns.next()?.owner == "b")
        #expect(turns.count == 0)
    }

    @Test func someItemsOfAnOwnerAreRemoved() {
        var turns = FairTurns<String, Int>()
        turns.append([1, 2, 3], for: "a")
        turns.append([4], for: "b")
        let removed = [
            turns.remove("a") { $0 == 2 }, turns.remove("a") { $0 == 2 }, turns.remove("b") { _ in true },
            turns.remove("c") { _ in true },
        ]
        #expect(removed == [true, false, true, false] && turns.count == 2)
        #expect((0..<3).compactMap { _ in turns.next()?.item } == [1, 3])
    }
}

struct DispatchStateTests {
    private func state(engines: [[String]], concurrency: Int = 2) -> DispatchState<Int, Int> {
        var state = DispatchState<Int, Int>()
        for models in engines {
            let index = state.addEngine(concurrency: concurrency)
            state.engineIsReady(index, models: models)
        }
        return state
    }

    @Test func aParkedJobSendsNothingUntilItGoesOnWhateverComesMeanwhile() {
        var state = self.state(engines: [["m", "n"]], concurrency: 9)
        state.offer([1], job: 1, model: "m")
        state.giveBack(2, job: 1, model: "m", due: 50)
        state.park(1)
        // A queue that begins while the job is parked, and a line whose time comes.
        state.offer([3], job: 1, model: "n")
        state.offer([9], job: 2, model: "n")
        state.wake(at: 60)
        #expect((0..<2).map { _ in state.next(at: 60)?.line } == [9, nil] && !state.hasLines)
        state.unpark(1)
        #expect(Set((0..<3).compactMap { _ in state.next(at: 60)?.line }) == [1, 2, 3])
    }

    @Test func aParkedJobThatIsWithdrawnIsForgotten() {
        var state = self.state(engines: [["m"]])
        state.offer([1], job: 1, model: "m")
        state.offer([9], job: 2, model: "m")
        state.park(1)
        #expect(state.withdraw(1) == [1])
        state.offer([2], job: 1, model: "m")
        #expect((0..<2).compactMap { _ in state.next(at: 0)?.line } == [9, 2])
    }

    @Test func linesGoToTheLeastLoadedEngineOfTheirModelUntilItIsFull() {
        var state = self.state(engines: [["m"], ["m"], ["other"]])
        state.offer(0..<10, job: 1, model: "m")
        let engines = (0..<5).map { _ in state.next(at: 0)?.engine }
        #expect(engines == [0, 1, 0, 1, nil])
        state.requestEnded(engine: 1)
        #expect(state.next(at: 0)?.engine == 1)
    }

    @Test func aDownOrBusyEngineGetsNothing() {
        var state = self.state(engines: [["m"]])
        state.offer([1], job: 1, model: "m")
        state.engineIsDown(0, reason: "refused")
        #expect(state.next(at: 0) == nil)
        #expect(state.waitingReason(models: ["m"], at: 0) == "refused")
        state.engineIsReady(0, models: ["m"])
        state.engineIsBusy(0, until: 100)
        #expect(state.next(at: 99) == nil)
        #expect(state.next(at: 100)?.line == 1)
    }

    @Test func delayedLinesComeBackWhenTheyAreDue() {
        var state = self.state(engines: [["m"]])
        state.giveBack(7, job: 1, model: "m", due: 50)
        state.wake(at: 49)
        #expect(state.next(at: 49) == nil)
        state.wake(at: 50)
        #expect(state.next(at: 50)?.line == 7)
    }

    @Test func onlyWhatWaitsForATimeIsDelayed() {
        var state = self.state(engines: [["m"]])
        #expect(!state.hasLines && !state.isDelayed(at: 0))
        state.engineIsBusy(0, until: 100)
        #expect(!state.isDelayed(at: 0), "nobody waits for the engine")
        state.offer([1], job: 1, model: "m")
        #expect(state.hasLines && state.isDelayed(at: 99) && !state.isDelayed(at: 100))
        _ = state.next(at: 100)
        #expect(!state.hasLines)
        state.giveBack(1, job: 1, model: "m", due: 500)
        #expect(!state.hasLines && state.isDelayed(at: 100) && state.isDelayed(at: 900), "until it is woken")
        state.wake(at: 500)
        #expect(state.hasLines && !state.isDelayed(at: 500))
    }

    @Test func aWithdrawnJobLeavesNothing() {
        var state = self.state(engines: [["m", "n"]])
        state.offer([1, 2], job: 1, model: "m")
        state.offer([3], job: 2, model: "n")
        state.giveBack(4, job: 1, model: "n", due: 10)
        #expect(Set(state.withdraw(1)) == [1, 2, 4])
        #expect(state.next(at: 100)?.line == 3)
        #expect(state.next(at: 100) == nil)
    }

    @Test func aModelIsAbsentOnlyWhenAllEnginesHaveToldTheirs() {
        var state = self.state(engines: [["m"]])
        #expect(state.isKnownToBeAbsent("x"))
        _ = state.addEngine(concurrency: 1)
        #expect(!state.isKnownToBeAbsent("x"))
    }
}
