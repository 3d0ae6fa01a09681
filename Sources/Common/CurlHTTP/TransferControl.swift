import Synchronization

/// Lets the sender of one request resume and cancel it from any thread, before, while and after it runs.
public final class TransferControl: Sendable {
    private struct State {
        weak var loop: CurlLoop?
        weak var transfer: Transfer?
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
        let (loop, transfer) = self.state.withLock { ($0.loop, $0.transfer) }
        if let loop, let transfer { loop.resume(transfer) }
    }

    /// Cancels the request at once, or as soon as it is started.
    public func cancel() {
        let (loop, transfer) = self.state.withLock { state in
            state.isCancelled = true
            return (state.loop, state.transfer)
        }
        if let loop, let transfer { loop.cancel(transfer) }
    }

    /// The request is on its way.
    func attach(_ transfer: Transfer, to loop: CurlLoop) {
        self.state.withLock { state in
            state.loop = loop
            state.transfer = transfer
        }
    }
}
