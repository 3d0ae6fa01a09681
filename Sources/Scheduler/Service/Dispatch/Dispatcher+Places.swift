import ProtoRPC
import SchedulerCore
import SchedulerEngines
import Synchronization

/// A place at an engine for one request. Whoever gets one gives it back by `Dispatcher.release`.
struct EnginePlace: Sendable {
    let index: Int
    let engine: any Engine
    let dispatchClass: DispatchClass
}

extension Dispatcher {
    /// Requests other than lines that may wait for a place; more are refused.
    static let maximumWaitingRequests = 256

    /// A place at an engine that serves a model, if there is one that nobody waits for: most often there is, and then its
    /// request goes straight to the engine. Otherwise why there will be none, or nil: it may wait.
    func placeNow(for model: String, _ dispatchClass: DispatchClass) -> PlaceRequest.Outcome? {
        let now = self.platform.time.monotonicMilliseconds()
        let (index, refusal) = self.state.withLock { state -> (Int?, RPCError?) in
            if let index = state.takeFreePlace(for: model, dispatchClass, at: now) { return (index, nil) }
            return (nil, Self.refusal(of: model, state, at: now))
        }
        if let index { return .placed(self.place(at: index, dispatchClass)) }
        return refusal.map { .refused($0) }
    }

    /// Has a request wait for a place; it is settled at once when it cannot: with NOT_FOUND when no engine serves the
    /// model, UNAVAILABLE when none of those that do can take requests, RESOURCE_EXHAUSTED when too many wait already.
    func queue(_ request: PlaceRequest, for model: String, _ dispatchClass: DispatchClass, tenant: String) {
        let waiting = self.waitingRequests.add(1, ordering: .relaxed).newValue
        let now = self.platform.time.monotonicMilliseconds()
        let refusal = self.state.withLock { state -> RPCError? in
            guard waiting <= Self.maximumWaitingRequests else { return RPCErrors.tooManyRequests }
            if let refusal = Self.refusal(of: model, state, at: now) { return refusal }
            state.offer(.request(request), dispatchClass, job: .tenant(tenant), model: model, at: now)
            return nil
        }
        if let refusal { return self.settle(request, .refused(refusal)) }
        self.pump()
    }

    /// The request at a place has ended; what came of it says something of the engine.
    func release(_ place: EnginePlace, after answer: EngineAnswer) {
        let isIdle = self.state.withLock { state in
            state.requestEnded(engine: place.index, place.dispatchClass)
            return state.isIdle
        }
        if let result = AttemptResult(answer) {
            let verdict = self.retry.decide(result, countedAttempts: 0, jitter: 0).engine
            self.note(verdict, about: place.index, answer)
        }
        // Who comes from now on finds the place by itself.
        if !isIdle { self.pump() }
    }

    /// A request that waited got a place.
    func place(_ request: PlaceRequest, _ assignment: State.Assignment) {
        self.settle(request, .placed(self.place(at: assignment.engine, assignment.dispatchClass)))
    }

    /// Takes a request back that waits; whoever has been given a place keeps it.
    func withdraw(_ request: PlaceRequest, of tenant: String) {
        let isWithdrawn = self.state.withLock { state in
            state.withdraw(.tenant(tenant)) { item in
                if case .request(let other) = item { other === request } else { false }
            }
        }
        if isWithdrawn { self.settle(request, .withdrawn) }
    }

    /// Engines changed for the worse: what waits for none is told.
    func refuseStranded() {
        let now = self.platform.time.monotonicMilliseconds()
        let refused = self.state.withLock { state in
            state.takeStranded(at: now).compactMap { item, model in
                Self.refusal(of: model, state, at: now).map { (item, $0) }
            }
        }
        for case (.request(let request), let error) in refused { self.settle(request, .refused(error)) }
    }

    private func settle(_ request: PlaceRequest, _ outcome: PlaceRequest.Outcome) {
        self.waitingRequests.subtract(1, ordering: .relaxed)
        request.settle(outcome)
    }

    private func place(at index: Int, _ dispatchClass: DispatchClass) -> EnginePlace {
        EnginePlace(index: index, engine: self.engines.withLock { $0[index] }, dispatchClass: dispatchClass)
    }

    /// Why a request for this model cannot even wait.
    private static func refusal(of model: String, _ state: borrowing State, at now: Int64) -> RPCError? {
        if state.isKnownToBeAbsent(model) { return RPCErrors.noSuchModel(model, served: state.servedModels) }
        return state.waitingReason(models: [model], at: now).map { RPCErrors.noEngine($0) }
    }
}
