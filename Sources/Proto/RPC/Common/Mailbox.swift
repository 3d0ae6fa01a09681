import Synchronization

/// Hands values from any thread to one consumer in batches: only the first value of a batch has to wake it.
///
/// It has no bound of its own; what is posted is bounded by the calls in flight.
final class Mailbox<Element: Sendable>: Sendable {
    enum Posted {
        /// The consumer has to be woken.
        case wake
        /// It is awake already.
        case queued
        /// The value was not taken.
        case closed
    }

    private struct State {
        var waiting: [Element] = []
        var isWoken = false
        var isClosed = false
    }

    private let state = Mutex(State())

    func post(_ element: Element) -> Posted {
        self.state.withLock { state in
            if state.isClosed { return .closed }
            state.waiting.append(element)
            if state.isWoken { return .queued }
            state.isWoken = true
            return .wake
        }
    }

    /// Swaps everything posted so far into `batch`, whose memory is reused for what comes next.
    func take(into batch: inout [Element]) {
        batch.removeAll(keepingCapacity: true)
        self.state.withLock { state in
            swap(&state.waiting, &batch)
            state.isWoken = false
        }
    }

    /// Refuses what comes from now on and gives what was still waiting.
    func close() -> [Element] {
        self.state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
    }
}
