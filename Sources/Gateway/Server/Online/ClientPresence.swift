import Synchronization

/// Whether the client of a connection is still there. The channel handler tells, the task of a request waits.
///
/// A client that has closed its side of the connection counts as gone: that is how clients that do not want an answer any
/// more are seen, and waiting for another sign would keep an engine busy for nobody (A10-05).
final class ClientPresence: Sendable {
    private struct State {
        var hasLeft = false
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter = 0
    }

    /// The client of the connection whose requests the task answers.
    @TaskLocal static var current: ClientPresence?

    private let state = Mutex(State())

    /// Whether the client has gone.
    var hasLeft: Bool { self.state.withLock { $0.hasLeft } }

    /// The client has gone.
    func left() {
        let waiters = self.state.withLock { state in
            state.hasLeft = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits until the client has gone, or the task is cancelled.
    func untilLeft() async {
        let number = self.state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { self.park($0, number) }
        } onCancel: {
            self.state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    private func park(_ waiter: CheckedContinuation<Void, Never>, _ number: Int) {
        let mustWait = self.state.withLock { state in
            // A task is marked as cancelled before its handler runs, so one of the two sees the other.
            if state.hasLeft || Task.isCancelled { return false }
            state.waiters[number] = waiter
            return true
        }
        if !mustWait { waiter.resume() }
    }
}
