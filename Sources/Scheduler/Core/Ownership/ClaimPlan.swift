/// Which batches a scheduler may claim, asked for in the order of their creation.
///
/// A batch is run by the owner of the pools of all its models, so that what is in flight at an engine is counted in one
/// place. A batch whose pools have several owners waits, and no younger batch is started on them, until one scheduler
/// can have them all.
public struct ClaimPlan: Sendable {
    private let ownership: Ownership
    private let owner: String
    private var wanted: Set<String> = []

    /// Plans with a picture of who owns what.
    public init(ownership: Ownership, owner: String) {
        self.ownership = ownership
        self.owner = owner
    }

    /// Whether another scheduler is there.
    public var isShared: Bool { self.ownership.owners.contains { $0 != self.owner } }

    /// The keys to claim for a batch; nil: not now, or not by this scheduler.
    /// - Parameters:
    ///   - models: whose engines it needs.
    ///   - isServed: whether this scheduler may reach an engine of each of them.
    public mutating func keys(forBatch id: String, models: [String], isServed: Bool) -> [String]? {
        let batch = ClaimKey.batch(id)
        guard self.ownership.claims[batch].map({ $0 == self.owner }) ?? true else { return nil }
        guard isServed || !self.isShared else { return nil }
        let pools = models.map(ClaimKey.pool)
        guard pools.allSatisfy({ self.ownership.claims[$0].map { $0 == self.owner } ?? true }) else {
            self.wanted.formUnion(pools)
            return nil
        }
        guard self.wanted.isDisjoint(with: pools) else { return nil }
        return [batch] + pools
    }
}
