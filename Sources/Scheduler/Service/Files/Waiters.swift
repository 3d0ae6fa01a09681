import Synchronization

/// Tasks that wait for something to change. A cancelled task stops waiting at once, except in `waitToTheEnd`.
///
/// Whoever waits notes the `generation` first, then looks whether it has to wait at all: a `wakeAll` between the look
/// and the wait is not missed, whatever actor or thread either runs on.
final class Waiters: Sendable {
    /// Counts the calls of `wakeAll`.
    struct Generation: Equatable {
        fileprivate var number: UInt64
    }

    private struct State {
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextKey = 0
        var generation = Generation(number: 0)
    }

    private let state = Mutex(State())

    /// Tasks that wait now.
    var count: Int { self.state.withLock { $0.waiting.count } }

    /// The point in time to wait from.
    var generation: Generation { self.state.withLock { $0.generation } }

    /// Waits for the first `wakeAll` after `generation` was read; returns at once when there was one.
    func wait(since generation: Generation) async {
        let key = self.state.withLock { state in
            state.nextKey += 1
            return state.nextKey
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Checked under the lock: a cancellation either finds the continuation or is found here.
                let mayWait = self.state.withLock { state in
                    guard !Task.isCancelled, state.generation == generation else { return false }
                    state.waiting[key] = continuation
                    return true
                }
                if !mayWait { continuation.resume() }
            }
        } onCancel: {
            self.state.withLock { $0.waiting.removeValue(forKey: key) }?.resume()
        }
    }

    /// Waits for the first `wakeAll` after `generation` was read, whether or not the task was cancelled.
    func waitToTheEnd(since generation: Generation) async {
        await withCheckedContinuation { continuation in
            let mayWait = self.state.withLock { state in
                guard state.generation == generation else { return false }
                state.nextKey += 1
                state.waiting[state.nextKey] = continuation
                return true
            }
            if !mayWait { continuation.resume() }
        }
    }

    /// Lets all go on.
    func wakeAll() {
        let all = self.state.withLock { state in
            state.generation.number += 1
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in all { continuation.resume() }
    }
}
