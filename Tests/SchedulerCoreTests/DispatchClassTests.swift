import SchedulerCore
import TestSupport
import Testing

/// Online requests, flex and batch at the same engines (design section 5).
struct DispatchClassTests {
    private typealias State = DispatchState<String, Int>

    private func state(engines: [[String]] = [["m"]], concurrency: Int = 4, percent: Int = 25) -> State {
        var state = State(reserve: OnlineReserve(percent: percent, milliseconds: 1_000))
        for models in engines {
            let index = state.addEngine(concurrency: concurrency)
            state.engineIsReady(index, models: models)
        }
        return state
    }

    /// Takes what can be taken, in order.
    private func take(_ state: inout State, at now: Int64 = 0, batch: Bool = true) -> [Int] {
        var lines: [Int] = []
        while let next = state.next(at: now, batch: batch) { lines.append(next.line) }
        return lines
    }

    @Test func onlineGoesBeforeFlexAndFlexBeforeBatch() {
        var state = self.state(concurrency: 9)
        state.offer([30, 31], job: "a", model: "m")
        state.offer(20, .flex, job: "b", model: "m", at: 0)
        state.offer(32, .batch, job: "b", model: "m", at: 0)
        state.offer(10, .online, job: "c", model: "m", at: 0)
        #expect(self.take(&state) == [10, 20, 30, 32, 31])
    }

    @Test func backgroundGoesWhenNoBatchLineWaitsAlsoWhenItIsGivenBack() {
        var state = self.state(concurrency: 9)
        state.offer([40, 41, 42], .background, job: "z", model: "m")
        let first = state.next(at: 0)
        #expect(first?.line == 40 && first?.dispatchClass == .background)
        state.giveBack(40, .background, job: "z", model: "m", due: nil)
        _ = state.next(at: 0)
        state.giveBack(40, .background, job: "z", model: "m", due: 5)
        state.offer([30, 31], job: "a", model: "m")
        state.wake(at: 5)
        #expect(self.take(&state, at: 5, batch: false) == [])
        #expect(self.take(&state, at: 5) == [30, 31, 40, 41, 42])
    }

    @Test("a free place is taken without a queue, and counts and reserves as one that was waited for")
    func freePlaces() {
        var state = self.state(engines: [["m"], ["m", "n"]])
        #expect(state.takeFreePlace(for: "m", .flex, at: 0) == 0)
        #expect(state.takeFreePlace(for: "m", .online, at: 0) == 1)
        #expect(state.takeFreePlace(for: "o", .online, at: 0) == nil)
        #expect(state.engines.map(\.inFlight) == [1, 1])
        #expect(state.engines.map(\.offlineInFlight) == [1, 0])
        #expect(state.engines.map(\.reservedUntil) == [1_000, 1_000])
        // Three of four places are not online's alone.
        for _ in 0..<3 { #expect(state.takeFreePlace(for: "n", .flex, at: 0) == 1) }
        #expect(state.takeFreePlace(for: "n", .flex, at: 0) == nil)
        #expect(state.takeFreePlace(for: "n", .online, at: 0) == nil, "all four are taken")
    }

    @Test func linesWaitForTheTimeAtWhichPlacesAreKeptFreeNoMore() {
        var state = self.state(concurrency: 4)
        #expect(state.takeFreePlace(for: "m", .online, at: 0) == 0)
        state.requestEnded(engine: 0, .online)
        state.offer([1, 2, 3, 4], job: "a", model: "m")
        #expect(self.take(&state, at: 999) == [1, 2, 3])
        #expect(state.isDelayed(at: 999))
        #expect(self.take(&state, at: 1_000) == [4])
        #expect(!state.isDelayed(at: 1_000))
    }

    @Test func nobodyOvertakesWhoWaitsInTheSameClassOrInOneThatGoesFirst() {
        var state = self.state(concurrency: 9)
        state.offer(20, .flex, job: "b", model: "m", at: 0)
        #expect(state.takeFreePlace(for: "m", .flex, at: 0) == nil)
        #expect(state.takeFreePlace(for: "m", .batch, at: 0) == nil)
        #expect(state.takeFreePlace(for: "m", .online, at: 0) == 0)
        #expect(self.take(&state) == [20])
        #expect(state.takeFreePlace(for: "m", .batch, at: 0) == 0)
    }

    @Test func nothingWaitsOnceAllWasTakenOrWithdrawn() {
        var state = self.state(concurrency: 9)
        #expect(state.isIdle)
        state.offer(20, .flex, job: "b", model: "m", at: 0)
        state.offer([30], job: "a", model: "n")
        #expect(self.take(&state) == [20])
        #expect(!state.isIdle, "no engine serves n")
        #expect(state.takeFreePlace(for: "m", .flex, at: 0) == 0, "only batch lines wait")
        #expect(state.withdraw("a") == [30])
        #expect(state.isIdle)
        state.giveBack(30, .batch, job: "a", model: "m", due: 5)
        #expect(!state.isIdle, "it waits for a time")
        state.wake(at: 5)
        state.park("a")
        #expect(!state.isIdle, "it waits for its job")
        state.unpark("a")
        #expect(self.take(&state, at: 5) == [30])
        #expect(state.isIdle)
        state.offer(10, .online, job: "c", model: "n", at: 5)
        let isWithdrawn = state.withdraw("c") { $0 == 10 }
        #expect(isWithdrawn)
        #expect(state.isIdle)
    }

    @Test func batchHasAllPlacesWhileNothingIsOnline() {
        var state = self.state()
        state.offer(0..<9, job: "a", model: "m")
        #expect(self.take(&state).count == 4)
    }

    @Test func placesAreKeptFreeForAWhileAfterAnOnlineRequest() {
        var state = self.state(concurrency: 8)
        state.offer(100, .online, job: "c", model: "m", at: 0)
        let online = state.next(at: 0)
        #expect(online?.line == 100 && online?.dispatchClass == .online)
        state.requestEnded(engine: 0, .online)
        state.offer(0..<20, job: "a", model: "m")
        #expect(self.take(&state, at: 999).count == 6)
        #expect(self.take(&state, at: 1_000).count == 2)
    }

    @Test func onlineTakesPlacesThatBatchMayNot() {
        var state = self.state(concurrency: 8)
        state.offer(100, .online, job: "c", model: "m", at: 0)
        state.offer(0..<20, job: "a", model: "m")
        #expect(self.take(&state).count == 7, "one online, six of batch")
        state.offer(101, .online, job: "c", model: "m", at: 0)
        #expect(self.take(&state) == [101])
        state.requestEnded(engine: 0, .batch)
        #expect(self.take(&state).count == 1)
    }

    @Test("a reserve leaves batches at least one place", arguments: [(1, 90), (2, 25), (4, 90), (10, 200)])
    func aReserveNeverTakesAll(_ concurrency: Int, _ percent: Int) {
        var state = self.state(concurrency: concurrency, percent: percent)
        state.offer(100, .online, job: "c", model: "m", at: 0)
        _ = state.next(at: 0)
        state.requestEnded(engine: 0, .online)
        state.offer(0..<20, job: "a", model: "m")
        #expect(!self.take(&state).isEmpty)
    }

    @Test func noBatchLineIsSentToAnEngineThatAnOnlineRequestWaitsFor() {
        var state = self.state(engines: [["m", "n"], ["n"]], concurrency: 2, percent: 0)
        for line in 100..<103 { state.offer(line, .online, job: "c", model: "m", at: 0) }
        #expect(self.take(&state) == [100, 101])
        state.offer([1, 2, 3], job: "a", model: "n")
        #expect(self.take(&state) == [1, 2], "the other engine is not waited for")
        state.requestEnded(engine: 0, .online)
        #expect(self.take(&state) == [102])
        state.requestEnded(engine: 0, .online)
        #expect(self.take(&state) == [3])
    }

    @Test("I-08 without a lease online and flex are sent, batch lines are not")
    func onlineNeedsNoLease() {
        var state = self.state()
        state.offer([1], job: "a", model: "m")
        state.offer(20, .flex, job: "b", model: "m", at: 0)
        state.offer(10, .online, job: "c", model: "m", at: 0)
        #expect(self.take(&state, batch: false) == [10, 20])
        #expect(self.take(&state) == [1])
    }

    @Test func aRequestIsWithdrawnAlone() {
        var state = self.state()
        state.offer(10, .online, job: "c", model: "m", at: 0)
        state.offer(11, .online, job: "c", model: "m", at: 0)
        let withdrawn = [state.withdraw("c") { $0 == 10 }, state.withdraw("c") { $0 == 10 }]
        #expect(withdrawn == [true, false])
        #expect(self.take(&state) == [11] && !state.hasLines)
    }

    @Test func whatWaitsForNoEngineIsTakenOutButForBatchLines() {
        var state = self.state(engines: [["m"], ["n"]], concurrency: 1)
        for model in ["m", "n"] {
            state.offer(1, .online, job: "c", model: model, at: 0)
        }
        _ = self.take(&state)
        state.offer(10, .online, job: "c", model: "m", at: 0)
        state.offer(11, .flex, job: "c", model: "m", at: 0)
        state.offer(12, .online, job: "c", model: "n", at: 0)
        state.offer([13], job: "a", model: "m")
        #expect(state.takeStranded(at: 0).isEmpty, "a full engine is waited for")
        state.engineIsDown(0, reason: "refused")
        #expect(state.takeStranded(at: 0).map(\.line) == [10, 11])
        state.engineIsBusy(1, until: 100)
        #expect(state.takeStranded(at: 99).map(\.line) == [12])
        #expect(state.hasLines)
    }

    @Test("counts of places hold in any order of events", arguments: 1...20)
    func countsHold(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var state = self.state(engines: [["m"], ["m", "n"]], concurrency: 5, percent: 40)
        var running: [State.Assignment] = []
        var now: Int64 = 0
        for line in 0..<3_000 {
            now += Int64.random(in: 0...20, using: &random)
            let model = Bool.random(using: &random) ? "m" : "n"
            switch Int.random(in: 0..<6, using: &random) {
            case 0: state.offer(line, .online, job: "c", model: model, at: now)
            case 1: state.offer(line, .flex, job: "b", model: model, at: now)
            case 2: state.offer([line], job: "a", model: model)
            case 3 where !running.isEmpty:
                let ended = running.remove(at: Int.random(in: 0..<running.count, using: &random))
                state.requestEnded(engine: ended.engine, ended.dispatchClass)
            default:
                guard let next = state.next(at: now) else { continue }
                running.append(next)
            }
            for (index, engine) in state.engines.enumerated() {
                let here = running.filter { $0.engine == index }
                #expect(engine.inFlight == here.count && engine.inFlight <= 5, "seed \(seed)")
                #expect(engine.offlineInFlight == here.count { $0.dispatchClass != .online }, "seed \(seed)")
            }
        }
    }
}
