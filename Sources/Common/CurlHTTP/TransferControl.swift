import Synchronization

/// Lets the sender of one request resume and cancel it from any thread, before, while and after it runs.
public final class TransferControl: Sendable {
    private struct State {
        /// From its start to its end.
        var transfer: Transfer?
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// For one request.
    public init() {}

    /// Whether `cancel` was called.
    public var isCancelled: Bool { self.state.withLock { $0.isCancelled } }

    /// Goes on with a request that was paused by its `read` or `onBody`: they are called again. Does nothing when it is
    /// not paused.
    public func resume() {
        guard let transfer = self.state.withLock({ $0.transfer }) else { return }
        transfer.loop.resume(transfer)
    }

    /// Cancels the request at once, or as soon as it is started.
    public func cancel() {
        let transfer = self.state.withLock { state in
            state.isCancelled = true
            return state.transfer
        }
        if let transfer { transfer.loop.cancel(transfer) }
    }

    /// The request is on its way.
    func attach(_ transfer: Transfer) {
        self.state.withLock { $0.transfer = transfer }
    }

    /// The request has ended.
    func detach() {
        // It may be the last to hold it, and ends outside the lock.
        _ = self.state.withLock { state in
            defer { state.transfer = nil }
            return state.transfer
        }
    }
}
