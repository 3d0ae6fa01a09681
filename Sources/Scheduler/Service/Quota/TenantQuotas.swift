import SchedulerCore
import SchedulerStores
import TenantLimits
import WatchedFiles

/// The quotas of tenants, as what a transaction ends with.
struct TenantQuotas: Sendable {
    /// What a transaction adds to. One that adds no files, say, is not refused because there are too many.
    struct Kinds: OptionSet {
        static let bytes = Kinds(rawValue: 1)
        static let batches = Kinds(rawValue: 2)
        static let enqueued = Kinds(rawValue: 4)
        let rawValue: Int
    }

    /// The limits; nil: none.
    let limits: WatchedFile<LimitsTable>?

    /// What holds a transaction to the tenant's quotas, to be its last change; nothing when there are none.
    func changes(_ tenant: String, adding kinds: Kinds, now unixSeconds: Int64) -> [RecordChange] {
        guard let limits = self.limits?.current[tenant] else { return [] }
        var quota = TenantQuota()
        if kinds.contains(.bytes) { quota.storedBytes = limits.storedBytes.map { Int64($0) } }
        if kinds.contains(.batches) { quota.batchesPerHour = limits.batchesPerHour }
        if kinds.contains(.enqueued) {
            quota.enqueuedRequests = limits.enqueuedRequests.map { Int64($0) }
            quota.enqueuedTokens = limits.enqueuedTokens.map { Int64($0) }
        }
        guard quota != TenantQuota() else { return [] }
        return [.requireQuota(quota, tenant: tenant, unixMilliseconds: unixSeconds * 1_000)]
    }
}
