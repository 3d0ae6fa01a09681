import NIOCore
import Synchronization

/// One task that waits for its answer. It is resumed exactly once: by the answer, the deadline, its task's
/// cancellation or the end of the connection, whichever is first.
final class ClientCall: Sendable {
    /// The response's payload, or why there is none.
    typealias Outcome = Result<ByteBuffer, RPCError>

    /// Unchecked, since a checked one costs an allocation, and that it is resumed once is what this class is for.
    typealias Waiter = UnsafeContinuation<Outcome, Never>

    private struct State {
        var streamID: UInt32?
        var waiter: Waiter?
        var outcome: Outcome?
    }

    let deadline: NIODeadline
    private let state = Mutex(State())

    init(deadline: NIODeadline) {
        self.deadline = deadline
    }

    /// The stream that carries the call; nil when it was not sent.
    var streamID: UInt32? {
        self.state.withLock { $0.streamID }
    }

    /// Sets who waits. Gives false, and resumes it, when the call has ended already.
    func wait(_ waiter: Waiter) -> Bool {
        let outcome = self.state.withLock { state in
            if state.outcome == nil { state.waiter = waiter }
            return state.outcome
        }
        guard let outcome else { return true }
        waiter.resume(returning: outcome)
        return false
    }

    /// The call is about to be written. Gives false when it has ended already.
    func begin(streamID: UInt32) -> Bool {
        self.state.withLock { state in
            guard state.outcome == nil else { return false }
            state.streamID = streamID
            return true
        }
    }

    /// Ends the call, unless it has ended. An error tells whether the call was sent.
    func fail(_ code: RPCStatus.Code, _ message: String) {
        self.end { streamID in
            .failure(RPCError(code: code, message: message, notSent: streamID == nil))
        }
    }

    /// Ends the call, unless it has ended.
    func finish(_ outcome: Outcome) {
        self.end { _ in outcome }
    }

    private func end(_ outcome: (UInt32?) -> Outcome) {
        let ended = self.state.withLock { state -> (Waiter?, Outcome)? in
            guard state.outcome == nil else { return nil }
            let outcome = outcome(state.streamID)
            state.outcome = outcome
            defer { state.waiter = nil }
            return (state.waiter, outcome)
        }
        if let (waiter, outcome) = ended {
            waiter?.resume(returning: outcome)
        }
    }
}

/// A caller that is told its answer on the connection's event loop. The connection's state machine holds it until then,
/// so that it is told once; nobody else can end the call, which needs no lock therefore.
struct ClientCallback: Sendable {
    let connection: ClientConnection
    let deadline: NIODeadline
    let completion: @Sendable (ClientCall.Outcome) -> Void

    /// The end of the call.
    func finish(_ outcome: ClientCall.Outcome) {
        self.connection.leave()
        self.completion(outcome)
    }
}
