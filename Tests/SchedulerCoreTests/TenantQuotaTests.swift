import SchedulerCore
import Testing

/// What a tenant may have (A2-09).
struct TenantQuotaTests {
    static let now: Int64 = 1_800_000_000_000

    private func quota(_ change: (inout TenantQuota) -> Void) -> TenantQuota {
        var quota = TenantQuota()
        change(&quota)
        return quota
    }

    @Test func withoutQuotasNothingIsExceeded() {
        let usage = TenantUsage(weight: RecordWeight(bytes: .max, requests: .max, tokens: .max), recentBatches: .max)
        #expect(TenantQuota().excess(of: usage, now: Self.now) == nil)
    }

    @Test func aQuotaMayBeUsedUp() {
        let quota = self.quota {
            $0.storedBytes = 10
            $0.enqueuedRequests = 20
            $0.enqueuedTokens = 30
            $0.batchesPerHour = 2
        }
        var usage = TenantUsage(weight: RecordWeight(bytes: 10, requests: 20, tokens: 30), recentBatches: 2)
        #expect(quota.excess(of: usage, now: Self.now) == nil)
        usage.weight.tokens += 1
        #expect(quota.excess(of: usage, now: Self.now) == .enqueuedTokens(limit: 30))
        usage.weight.requests += 1
        #expect(quota.excess(of: usage, now: Self.now) == .enqueuedRequests(limit: 20))
        usage.weight.bytes += 1
        #expect(quota.excess(of: usage, now: Self.now) == .storedBytes(limit: 10))
    }

    @Test(arguments: [(0, 3_600_000), (1_000, 3_599_000), (3_599_999, 1), (9_000_000, 1), (-5_000, 3_600_000)])
    func theNextBatchMayComeWhenTheOldestIsAnHourOld(age: Int64, wait: Int64) {
        let quota = self.quota { $0.batchesPerHour = 1 }
        let usage = TenantUsage(recentBatches: 2, oldestRecentBatch: Self.now - age)
        #expect(quota.excess(of: usage, now: Self.now) == .batchesPerHour(limit: 1, milliseconds: wait))
    }

    @Test("A2-09 a batch over the limit of tokens fails; one over the others is not made")
    func problems() {
        #expect(QuotaExcess.enqueuedTokens(limit: 1).problem?.code == "token_limit_exceeded")
        #expect(QuotaExcess.enqueuedTokens(limit: 1).problem?.line == nil)
        #expect(QuotaExcess.enqueuedRequests(limit: 1).problem?.code == "request_limit_exceeded")
        #expect(QuotaExcess.storedBytes(limit: 1).problem == nil)
        #expect(QuotaExcess.batchesPerHour(limit: 1, milliseconds: 1).problem == nil)
    }

    @Test func tokensAreEstimatedFromBytes() {
        let work = EnqueuedWork(lines: 3, bytes: 9)
        #expect((work.requests, work.tokens) == (3, 3))
    }
}
