import ProtoMessages
import Synchronization

/// Tells who watches a connection that it takes no more calls (G6-05).
final class DrainNotice: Sendable {
    private struct State {
        var notice: Drain?
        var watchers: [ObjectIdentifier: Gate] = [:]
    }

    private let state = Mutex(State())

    /// Waits for the notice; gives nil when the task is cancelled before.
    func wait() async -> Drain? {
        let gate = Gate()
        let notice = self.state.withLock { state in
            if state.notice == nil { state.watchers[ObjectIdentifier(gate)] = gate }
            return state.notice
        }
        if let notice { return notice }
        await gate.wait()
        return self.state.withLock { state in
            state.watchers[ObjectIdentifier(gate)] = nil
            return state.notice
        }
    }

    func post(_ notice: Drain) {
        let watchers = self.state.withLock { state in
            state.notice = notice
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        for watcher in watchers {
            watcher.open()
        }
    }
}
