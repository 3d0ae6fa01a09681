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
        var waiter: CheckedContinuation<Void, Never>?
        var isConsumerCancelled = false
    }

    private let state: Mutex<State>

    init(_ machine: Machine) {
        self.state = Mutex(State(machine: machine))
    }

    /// Changes or asks the machine, and wakes the consumer when there is something for it.
    func withMachine<Result: Sendable>(_ body: (inout Machine) -> Result) -> Result {
        let (result, waiter) = self.state.withLock { state in
            let result = body(&state.machine)
            guard state.waiter != nil, state.machine.hasNext else {
                return (result, CheckedContinuation<Void, Never>?.none)
            }
            defer { state.waiter = nil }
            return (result, state.waiter)
        }
        waiter?.resume()
        return result
    }

    /// The next message, or nil at the stream's end.
    ///
    /// - Parameter resume: called when a frame that was held back has room now.
    /// - Throws: why the stream failed; CANCELLED when the task is cancelled.
    func next(resume: () -> Void) async throws(RPCError) -> ByteBuffer? {
        while true {
            if Task.isCancelled { throw .consumerCancelled }
            switch self.state.withLock({ $0.machine.next() }) {
            case .message(let message, let hasRoom):
                if hasRoom { resume() }
                return message
            case .end: return nil
            case .failed(let error): throw error
            case .wait: await self.wait()
            }
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { self.park($0) }
        } onCancel: {
            let waiter = self.state.withLock { state in
                state.isConsumerCancelled = true
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }

    private func park(_ waiter: CheckedContinuation<Void, Never>) {
        let surplus = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.machine.hasNext || state.isConsumerCancelled { return waiter }
            // A second consumer takes the place of the first, which looks again: messages are for one task.
            defer { state.waiter = waiter }
            return state.waiter
        }
        surplus?.resume()
    }
}

extension RPCError {
    /// The task that consumes a stream was cancelled.
    static let consumerCancelled = RPCError(code: .cancelled, message: "the task was cancelled")
}
