import Synchronization

/// Requests that are cancelled together.
public final class TransferGroup: Sendable {
    private let cancelled = Atomic<Bool>(false)

    /// Nothing cancelled yet.
    public init() {}

    /// Whether `cancel` was called.
    public var isCancelled: Bool { self.cancelled.load(ordering: .relaxed) }

    /// Cancels all requests of the group, those to come included. The client notices within its next sweep (100 ms);
    /// `CurlClient.cancel` makes it notice at once.
    public func cancel() {
        self.cancelled.store(true, ordering: .relaxed)
    }
}
