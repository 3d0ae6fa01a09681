import NIOCore
import Synchronization

/// What `StreamState` needs of a stream's state machine.
protocol StreamStateMachine: Sendable {
    /// Whether `next` gives anything but `wait`.
    var hasNext: Bool { get }
    /// The consumer wants the next message.
    mutating func next() -> StreamInbox.Next
}

extension ServerStreamStateMachine: StreamStateMachine {}
extension ClientStreamStateMachine: StreamStateMachine {}

/// A stream's state machine between the event loop, which feeds it, and the one task that consumes its messages.
final class StreamState<Machine: StreamStateMachine>: Sendable {
    private struct State {
        var machine: Machine
        /// More than one only where several tasks consume, which is allowed and of little use.
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ machine: Machine) {
        self.state = Mutex(State(machine: machine))
    }

    /// Changes or asks the machine, and wakes the consumer when there is something for it.
    func withMachine<Result: Sendable>(_ body: (inout Machine) -> Result) -> Result {
        let (result, waiters) = self.state.withLock { state in
            let result = body(&state.machine)
            guard !state.waiters.isEmpty, state.machine.hasNext else {
                return (result, [CheckedContinuation<Void, Never>]())
            }
            return (result, Self.takeWaiters(&state))
        }
        for waiter in waiters { waiter.resume() }
        return result
    }

    /// The next message, if it is there.
    ///
    /// - Parameter resume: called when a frame that was held back has room now.
    /// - Throws: why the stream failed; CANCELLED when the task is cancelled.
    func poll(resume: () -> Void) throws(RPCError) -> MessagePoll {
        if Task.isCancelled { throw .consumerCancelled }
        switch self.state.withLock({ $0.machine.next() }) {
        case .message(let message, let hasRoom):
            if hasRoom { resume() }
            return .message(message)
        case .end: return .end
        case .failed(let error): throw error
        case .wait: return .wait
        }
    }

    /// Waits until `poll` may give something else than `wait`.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { self.park($0) }
        } onCancel: {
            // Whoever was not cancelled looks, and waits, again.
            for waiter in self.state.withLock({ Self.takeWaiters(&$0) }) { waiter.resume() }
        }
    }

    private func park(_ waiter: CheckedContinuation<Void, Never>) {
        let mustWait = self.state.withLock { state in
            // A task is marked as cancelled before its handler runs, so one of the two sees the other.
            if state.machine.hasNext || Task.isCancelled { return false }
            state.waiters.append(waiter)
            return true
        }
        if !mustWait { waiter.resume() }
    }

    private static func takeWaiters(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        defer { state.waiters.removeAll(keepingCapacity: true) }
        return state.waiters
    }
}

extension RPCError {
    /// The task that consumes a stream was cancelled.
    static let consumerCancelled = RPCError(code: .cancelled, message: "the task was cancelled")
}
