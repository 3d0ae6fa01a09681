import ProtoMessages
import Synchronization

/// Tells who watches a connection that it is about to end (G6-05): at first that calls should go elsewhere, then what
/// was accepted.
final class DrainNotice: Sendable {
    private struct State {
        var latest: Drain?
        /// Notices so far.
        var count = 0
        var watchers: [ObjectIdentifier: Gate] = [:]
    }

    private let state = Mutex(State())

    /// Waits for the latest notice; gives nil when the task is cancelled before.
    ///
    /// - Parameter seen: notices that the caller knows, 0 at first.
    func next(after seen: inout Int) async -> Drain? {
        let gate = Gate()
        let known = seen
        let isThere = self.state.withLock { state in
            if state.count > known { return true }
            state.watchers[ObjectIdentifier(gate)] = gate
            return false
        }
        if !isThere { await gate.wait() }
        let (notice, count) = self.state.withLock { state in
            state.watchers[ObjectIdentifier(gate)] = nil
            return (state.count > known ? state.latest : nil, state.count)
        }
        seen = count
        return notice
    }

    func post(_ notice: Drain) {
        let watchers = self.state.withLock { state in
            state.latest = notice
            state.count += 1
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        for watcher in watchers {
            watcher.open()
        }
    }
}
