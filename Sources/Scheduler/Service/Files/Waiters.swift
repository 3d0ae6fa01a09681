import Synchronization

/// Tasks that wait for something to change. A cancelled task stops waiting at once.
final class Waiters: Sendable {
    private struct State {
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextKey = 0
    }

    private let state = Mutex(State())

    /// Tasks that wait now.
    var count: Int { self.state.withLock { $0.waiting.count } }

    /// Waits for the next `wakeAll`.
    func wait() async {
        let key = self.state.withLock { state in
            state.nextKey += 1
            return state.nextKey
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Checked under the lock: a cancellation either finds the continuation or is found here.
                let isCancelled = self.state.withLock { state in
                    guard !Task.isCancelled else { return true }
                    state.waiting[key] = continuation
                    return false
                }
                if isCancelled { continuation.resume() }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: key) }?.resume()
        }
    }

    /// Lets all go on.
    func wakeAll() {
        let all = self.state.withLock { state in
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in all { continuation.resume() }
    }
}
