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

    /// Waits for a place at an engine that serves a model.
    /// - Throws: NOT_FOUND when no engine serves it, UNAVAILABLE when none of those that do can take requests,
    ///   RESOURCE_EXHAUSTED when too many wait already, CANCELLED when the task is cancelled.
    func place(
        for model: String,
        _ dispatchClass: DispatchClass,
        tenant: String
    ) async throws(RPCError) -> EnginePlace {
        let request = PlaceRequest()
        let waiting = self.waitingRequests.add(1, ordering: .relaxed).newValue
        defer { self.waitingRequests.subtract(1, ordering: .relaxed) }
        guard waiting <= Self.maximumWaitingRequests else { throw RPCErrors.tooManyRequests }
        let now = self.platform.time.monotonicMilliseconds()
        let refusal = self.state.withLock { state -> RPCError? in
            if let refusal = Self.refusal(of: model, state, at: now) { return refusal }
            state.offer(.request(request), dispatchClass, job: .tenant(tenant), model: model, at: now)
            return nil
        }
        if let refusal { throw refusal }
        self.pump()
        let outcome = await withTaskCancellationHandler {
            await request.outcome()
        } onCancel: {
            self.withdraw(request, of: tenant)
        }
        switch outcome {
        case .placed(let index):
            let engine = self.engines.withLock { $0[index] }
            return EnginePlace(index: index, engine: engine, dispatchClass: dispatchClass)
        case .refused(let error): throw error
        case .withdrawn: throw RPCError(code: .cancelled, message: "the call was cancelled")
        }
    }

    /// The request at a place has ended; what came of it says something of the engine.
    func release(_ place: EnginePlace, after answer: EngineAnswer) {
        self.state.withLock { $0.requestEnded(engine: place.index, place.dispatchClass) }
        if let result = AttemptResult(answer) {
            let verdict = self.retry.decide(result, countedAttempts: 0, jitter: 0).engine
            self.note(verdict, about: place.index, answer)
        }
        self.pump()
    }

    /// A request got a place; without a task that waits for it the place is free again.
    func place(_ request: PlaceRequest, _ assignment: State.Assignment) {
        guard !request.settle(.placed(assignment.engine)) else { return }
        self.state.withLock { $0.requestEnded(engine: assignment.engine, assignment.dispatchClass) }
    }

    /// Engines changed for the worse: what waits for none is told.
    func refuseStranded() {
        let now = self.platform.time.monotonicMilliseconds()
        let refused = self.state.withLock { state in
            state.takeStranded(at: now).compactMap { item, model in
                Self.refusal(of: model, state, at: now).map { (item, $0) }
            }
        }
        for case (.request(let request), let error) in refused { request.settle(.refused(error)) }
    }

    private func withdraw(_ request: PlaceRequest, of tenant: String) {
        let isWithdrawn = self.state.withLock { state in
            state.withdraw(.tenant(tenant)) { item in
                if case .request(let other) = item { other === request } else { false }
            }
        }
        if isWithdrawn { request.settle(.withdrawn) }
    }

    /// Why a request for this model cannot even wait.
    private static func refusal(of model: String, _ state: borrowing State, at now: Int64) -> RPCError? {
        if state.isKnownToBeAbsent(model) { return RPCErrors.noSuchModel(model, served: state.servedModels) }
        return state.waitingReason(models: [model], at: now).map { RPCErrors.noEngine($0) }
    }
}
