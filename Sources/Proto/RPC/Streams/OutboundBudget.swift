import Synchronization

/// Holds tasks back that give more messages than a connection's socket takes.
final class OutboundBudget: Sendable {
    private typealias Machine = OutboundBudgetStateMachine<CheckedContinuation<Outcome, Never>>

    private enum Outcome {
        case granted
        case cancelled
        case closed
    }

    private struct State {
        var machine: Machine
        var lastTicket: UInt64 = 0
        /// Tickets of tasks that were cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>

    /// - Parameter limit: most bytes on their way at a time, but a single message may be longer.
    init(limit: Int) {
        self.state = Mutex(State(machine: Machine(limit: limit)))
    }

    /// Bytes on their way.
    var usedBytes: Int {
        self.state.withLock { $0.machine.usedBytes }
    }

    /// Waits until there is room for a message. Each success has to be followed by a `release`.
    ///
    /// - Throws: UNAVAILABLE when the connection is gone, CANCELLED when the task is cancelled.
    func reserve(_ bytes: Int) async throws(RPCError) {
        if Task.isCancelled { throw .consumerCancelled }
        let outcome: Outcome
        switch self.state.withLock({ $0.machine.reserve(bytes) }) {
        case .granted: return
        case .closed: outcome = .closed
        case .mustWait: outcome = await self.wait(bytes)
        }
        switch outcome {
        case .granted: return
        case .cancelled: throw .consumerCancelled
        case .closed: throw RPCError(code: .unavailable, message: "the connection was lost")
        }
    }

    /// Takes room for a message if there is any. Each success has to be followed by a `release`.
    func reserveNow(_ bytes: Int) -> Bool {
        self.state.withLock { $0.machine.reserve(bytes) == .granted }
    }

    func release(_ bytes: Int) {
        for waiter in self.state.withLock({ $0.machine.release(bytes) }) {
            waiter.resume(returning: .granted)
        }
    }

    /// The connection is gone: nobody waits any more.
    func close() {
        for waiter in self.state.withLock({ $0.machine.close() }) {
            waiter.resume(returning: .closed)
        }
    }

    private func wait(_ bytes: Int) async -> Outcome {
        let ticket = self.state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { self.park($0, bytes: bytes, ticket: ticket) }
        } onCancel: {
            self.leave(ticket)
        }
        self.state.withLock { _ = $0.cancelled.remove(ticket) }
        return outcome
    }

    private func park(_ waiter: CheckedContinuation<Outcome, Never>, bytes: Int, ticket: UInt64) {
        let outcome = self.state.withLock { state -> Outcome? in
            if state.cancelled.contains(ticket) { return .cancelled }
            switch state.machine.reserve(bytes) {
            case .granted: return .granted
            case .closed: return .closed
            case .mustWait:
                state.machine.wait(waiter, bytes: bytes, ticket: ticket)
                return nil
            }
        }
        if let outcome { waiter.resume(returning: outcome) }
    }

    private func leave(_ ticket: UInt64) {
        let (left, granted) = self.state.withLock { state in
            let result = state.machine.leave(ticket: ticket)
            if result.left == nil { state.cancelled.insert(ticket) }
            return result
        }
        left?.resume(returning: .cancelled)
        for waiter in granted {
            waiter.resume(returning: .granted)
        }
    }
}
