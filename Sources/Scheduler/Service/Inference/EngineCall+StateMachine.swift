import ProtoRPC
import SchedulerCore
import SchedulerEngines

/// One request on its way through a place to an engine and, when it provably did not get there, to another one. No I/O:
/// events in, actions out.
///
/// `Place` stands for what it holds while an engine has the request.
struct EngineCallStateMachine<Place: Sendable>: Sendable {
    enum Action: Sendable {
        case none
        /// Ask for a place; it is answered by `placed`, `refused` or `withdrawn`.
        case requestPlace
        /// Take the request for a place back, if it still waits.
        case withdraw
        /// Send the request; it is answered by `answered`.
        case send(Place)
        /// Cancel the request at the engine; it is still answered by `answered`.
        case cancelTransfer
        /// Give the place back, and then end with this error, if there is one.
        case end(RPCError?, Place?)
        /// Give the place back and ask for another one.
        case tryAgain(Place)
    }

    /// Engines that are tried when one after the other provably did not get the request.
    static var maximumEngines: Int { 3 }

    private enum State: Sendable {
        case idle
        case waiting
        case sending(Place)
        /// Nobody wants the answer any more.
        case leaving(Place?)
        case ended
    }

    private var state = State.idle
    private var engines = 0

    /// The request is to be sent.
    mutating func begin() -> Action {
        switch self.state {
        case .idle:
            self.state = .waiting
            return .requestPlace
        case .leaving:
            self.state = .ended
            return .end(.callWasCancelled, nil)
        case .waiting, .sending, .ended: return .none
        }
    }

    /// Whether nobody wants the answer any more, and it has not ended.
    var isLeaving: Bool {
        if case .leaving = self.state { true } else { false }
    }

    /// There is a place for it.
    mutating func placed(_ place: Place) -> Action {
        switch self.state {
        case .waiting:
            self.state = .sending(place)
            self.engines += 1
            return .send(place)
        case .leaving:
            self.state = .ended
            return .end(.callWasCancelled, place)
        case .idle, .sending, .ended: return .none
        }
    }

    /// There will be no place for it.
    mutating func refused(_ error: RPCError) -> Action {
        switch self.state {
        case .waiting, .leaving:
            self.state = .ended
            return .end(error, nil)
        case .idle, .sending, .ended: return .none
        }
    }

    /// It does not wait for a place any more, as `withdraw` asked.
    mutating func withdrawn() -> Action {
        self.refused(.callWasCancelled)
    }

    /// Nobody wants the answer any more.
    mutating func cancel() -> Action {
        switch self.state {
        case .idle:
            self.state = .leaving(nil)
            return .none
        case .waiting:
            self.state = .leaving(nil)
            return .withdraw
        case .sending(let place):
            self.state = .leaving(place)
            return .cancelTransfer
        case .leaving, .ended: return .none
        }
    }

    /// The engine has answered, or will not.
    ///
    /// - Parameter canRepeat: whether the body can be sent once more.
    mutating func answered(_ answer: EngineAnswer, canRepeat: Bool) -> Action {
        let place: Place
        var isLeaving = false
        switch self.state {
        case .sending(let held): place = held
        case .leaving(let held?): (place, isLeaving) = (held, true)
        case .idle, .waiting, .leaving, .ended: return .none
        }
        switch answer {
        case .answered: return self.end(nil, place)
        case .cancelled: return self.end(.callWasCancelled, place)
        case .failed(let failure):
            let mayTryAnother = failure.kind == .unreachable && !failure.mayHaveRun && canRepeat && !isLeaving
            guard mayTryAnother, self.engines < Self.maximumEngines else {
                return self.end(RPCErrors.engine(failure), place)
            }
            self.state = .waiting
            return .tryAgain(place)
        }
    }

    private mutating func end(_ error: RPCError?, _ place: Place) -> Action {
        self.state = .ended
        return .end(error, place)
    }
}

extension RPCError {
    /// Its caller has left, or its time is over.
    fileprivate static let callWasCancelled = RPCError(code: .cancelled, message: "the call was cancelled")
}
