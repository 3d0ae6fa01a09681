import ProtoRPC
import SchedulerStores

/// What committed bytes need for getting a record: sweepers leave bytes alone that have none yet only while the lease under
/// which they were committed holds, and not for long.
struct RecordFence: Sendable {
    private let owner: String
    private let began: Int64
    private let ownership: OwnershipKeeper
    private let platform: Platform

    /// Begins before the bytes are committed.
    /// - Throws: UNAVAILABLE when no lease is held.
    init(_ ownership: OwnershipKeeper, _ platform: Platform) throws {
        guard let owner = ownership.owner else { throw RPCErrors.store(.fenced) }
        self.owner = owner
        self.began = platform.time.bootMilliseconds()
        self.ownership = ownership
        self.platform = platform
    }

    /// The first change of the transaction that stores the record.
    /// - Throws: UNAVAILABLE when committing took so long that the bytes may be gone.
    func change() async throws -> RecordChange {
        await self.platform.wait(if: .waitBeforeFileRecord)
        guard self.platform.time.bootMilliseconds() - self.began < self.ownership.recordAge else {
            throw RPCErrors.store(.unavailable("the bytes took too long"))
        }
        return .requireLease(owner: self.owner)
    }
}
