import ProtoRPC
import Synchronization

/// One request that waits for a place at an engine, and the one task that waits with it.
final class PlaceRequest: Sendable {
    enum Outcome: Sendable {
        /// The place is at the engine with this index.
        case placed(Int)
        case refused(RPCError)
        /// The task was cancelled, and nothing was taken.
        case withdrawn
    }

    private enum State {
        case waiting(CheckedContinuation<Outcome, Never>?)
        case settled(Outcome)
    }

    private let state = Mutex(State.waiting(nil))

    /// Ends the waiting; only the first outcome counts, and the others give false.
    @discardableResult
    func settle(_ outcome: Outcome) -> Bool {
        let (isFirst, waiter) = self.state.withLock { state in
            guard case .waiting(let waiter) = state else { return (false, CheckedContinuation<Outcome, Never>?.none) }
            state = .settled(outcome)
            return (true, waiter)
        }
        waiter?.resume(returning: outcome)
        return isFirst
    }

    /// Waits for the outcome; for one task.
    func outcome() async -> Outcome {
        await withCheckedContinuation { waiter in
            let outcome = self.state.withLock { state -> Outcome? in
                if case .settled(let outcome) = state { return outcome }
                state = .waiting(waiter)
                return nil
            }
            if let outcome { waiter.resume(returning: outcome) }
        }
    }
}
