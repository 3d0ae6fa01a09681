public import SchedulerCore

/// Ownership of jobs and pools. A scheduler holds one lease for as long as it renews it, and claims keys under it; when
/// the lease ends, everything it claimed is free at once.
///
/// A lease is never given back to an owner that lost it: that scheduler begins another one under another name, so the
/// name is also the fencing token (`RecordChange.requireLease`).
public protocol LeaseStore: Sendable {
    /// Begins an owner's lease.
    /// - Parameter milliseconds: it ends so long after the store took note.
    /// - Throws: `StoreError.conflict` when the name was used before.
    func beginLease(_ owner: String, milliseconds: Int64) async throws(StoreError)

    /// Extends a lease from now on.
    /// - Throws: `StoreError.fenced` when it has ended.
    func renewLease(_ owner: String, milliseconds: Int64) async throws(StoreError)

    /// Ends a lease; its claims are free.
    func endLease(_ owner: String) async throws(StoreError)

    /// Claims all keys or none. Claiming again what the owner has is fine.
    /// - Returns: false when another owner with a live lease has one of them.
    /// - Throws: `StoreError.fenced` when the owner's lease has ended.
    func claim(_ keys: [String], for owner: String) async throws(StoreError) -> Bool

    /// Gives claims back.
    func unclaim(_ keys: [String], of owner: String) async throws(StoreError)

    /// Live leases and what is claimed under them.
    func ownership() async throws(StoreError) -> Ownership
}

/// The clock of leases. The machine's counts while it sleeps and cannot be set, and its name changes when it restarts.
public struct LeaseClock: Sendable {
    /// Names the period in which the clock counts: two values of different periods cannot be compared.
    public let period: String
    /// Milliseconds since the period began.
    public let milliseconds: @Sendable () -> Int64

    /// Injects a clock.
    public init(period: String, milliseconds: @escaping @Sendable () -> Int64) {
        self.period = period
        self.milliseconds = milliseconds
    }
}
