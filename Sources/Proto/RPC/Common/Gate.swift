import Synchronization

/// Lets one task wait until something opens it; opening it early or twice does no harm.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Waits; call it from one task only. Cancellation opens the gate.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let isOpen = self.state.withLock { state in
                    if !state.isOpen { state.waiter = waiter }
                    return state.isOpen
                }
                if isOpen { waiter.resume() }
            }
        } onCancel: {
            self.open()
        }
    }

    func open() {
        let waiter = self.state.withLock { state in
            state.isOpen = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
