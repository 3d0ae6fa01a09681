import Synchronization

/// Holds tasks back that give more messages than a connection's socket takes.
final class OutboundBudget: Sendable {
    private typealias Machine = OutboundBudgetStateMachine<Waiter>

    /// Who waits for room.
    private enum Waiter {
        case task(CheckedContinuation<Outcome, Never>)
        /// A stream that a responder answers, with the bytes of the message that it keeps.
        case stream(RPCStreamWaker, bytes: Int)

        func resume(_ outcome: Outcome) {
            switch (self, outcome) {
            case (.task(let waiter), _): waiter.resume(returning: outcome)
            case (.stream(let waker, let bytes), .granted): waker.granted(bytes)
            // Streams end with their connection.
            case (.stream, .cancelled), (.stream, .closed): break
            }
        }
    }

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

    /// Takes room for several messages to come, as much as there is up to a limit. What is not used of it has to be
    /// released at once, the rest as after `reserve`.
    func reserveSome(upTo bytes: Int) -> Int {
        self.state.withLock { $0.machine.reserveSome(upTo: bytes) }
    }

    /// Takes room for a message of a stream that keeps it meanwhile: without room it is woken when there is some, which
    /// it takes from the waker then. Not for one that waits already.
    func reserve(_ bytes: Int, for waker: RPCStreamWaker) -> Bool {
        self.state.withLock { state in
            switch state.machine.reserve(bytes) {
            case .granted: return true
            case .closed: return false
            case .mustWait:
                state.lastTicket += 1
                waker.isQueuedForRoom()
                state.machine.wait(.stream(waker, bytes: bytes), bytes: bytes, ticket: state.lastTicket)
                return false
            }
        }
    }

    func release(_ bytes: Int) {
        for waiter in self.state.withLock({ $0.machine.release(bytes) }) {
            waiter.resume(.granted)
        }
    }

    /// The connection is gone: nobody waits any more.
    func close() {
        for waiter in self.state.withLock({ $0.machine.close() }) {
            waiter.resume(.closed)
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
                state.machine.wait(.task(waiter), bytes: bytes, ticket: ticket)
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
        left?.resume(.cancelled)
        for waiter in granted {
            waiter.resume(.granted)
        }
    }
}
