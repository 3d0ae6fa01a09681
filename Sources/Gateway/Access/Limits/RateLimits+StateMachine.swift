public import TenantLimits

/// How much each tenant has asked of this gateway lately, and whether it may ask for more.
///
/// Pure: told of requests and of the time, answers what becomes of them. Each gateway counts for itself.
public struct RateLimitsStateMachine: Sendable {
    /// Most tenants that are kept; those that have asked for nothing lately are forgotten.
    public static let maximumTenants = 10_000

    private struct Usage {
        var requests: TokenBucket
        var tokens: TokenBucket
        var running = 0

        var isForgettable: Bool { self.running == 0 && self.requests.isFull && self.tokens.isFull }
    }

    private let maximumTenants: Int
    private var tenants: [String: Usage] = [:]

    /// Nobody has asked for anything.
    public init(maximumTenants: Int = Self.maximumTenants) {
        self.maximumTenants = maximumTenants
    }

    /// A request begins. One that is admitted ends with `end`; one that is refused costs nothing.
    ///
    /// - Parameters:
    ///   - tokens: how many it will use, as far as that is known.
    ///   - now: time on a clock that only moves forward.
    public mutating func begin(
        _ tenant: String,
        _ limits: TenantLimits,
        tokens: Int,
        now: Duration
    ) -> RateDecision {
        guard var usage = self.usage(of: tenant, limits, now) else {
            return RateDecision(standing: RateStanding(), refusal: .busy)
        }
        let refusal = Self.refusal(usage, limits, tokens: tokens)
        var tokensTaken: Double?
        if refusal == nil {
            usage.running += 1
            if limits.requestsPerMinute != nil { usage.requests.take(1) }
            if limits.tokensPerMinute != nil { tokensTaken = usage.tokens.take(tokens) }
        }
        self.tenants[tenant] = usage
        return RateDecision(standing: Self.standing(usage, limits), refusal: refusal, tokensTaken: tokensTaken)
    }

    /// An admitted request, which has not ended, has really used so many tokens.
    ///
    /// - Parameters:
    ///   - taken: what `begin` took for it.
    ///   - now: time on a clock that only moves forward.
    public mutating func used(_ tenant: String, tokens: Int, insteadOf taken: Double, now: Duration) {
        guard var usage = self.tenants[tenant] else { return }
        usage.tokens.advance(to: now, capacity: usage.tokens.capacity)
        usage.tokens.settle(taken: taken, used: tokens)
        self.tenants[tenant] = usage
    }

    /// An admitted request has ended.
    public mutating func end(_ tenant: String) {
        self.tenants[tenant]?.running -= 1
    }

    /// Tenants that are kept.
    public var count: Int { self.tenants.count }

    private mutating func usage(of tenant: String, _ limits: TenantLimits, _ now: Duration) -> Usage? {
        let (requests, tokens) = (limits.requestsPerMinute ?? 0, limits.tokensPerMinute ?? 0)
        if var usage = self.tenants[tenant] {
            usage.requests.advance(to: now, capacity: requests)
            usage.tokens.advance(to: now, capacity: tokens)
            return usage
        }
        if self.tenants.count >= self.maximumTenants { self.forgetIdle(now) }
        guard self.tenants.count < self.maximumTenants else { return nil }
        return Usage(
            requests: TokenBucket(capacity: requests, now: now),
            tokens: TokenBucket(capacity: tokens, now: now)
        )
    }

    /// A forgotten tenant begins with full buckets, which it had.
    private mutating func forgetIdle(_ now: Duration) {
        self.tenants = self.tenants.filter { _, usage in
            var usage = usage
            usage.requests.advance(to: now, capacity: usage.requests.capacity)
            usage.tokens.advance(to: now, capacity: usage.tokens.capacity)
            return !usage.isForgettable
        }
    }

    private static func refusal(_ usage: Usage, _ limits: TenantLimits, tokens: Int) -> RateRefusal? {
        if let limit = limits.concurrentRequests, usage.running >= limit { return .concurrency(limit: limit) }
        if let limit = limits.requestsPerMinute {
            let wait = usage.requests.wait(for: 1)
            if wait != .zero { return .requests(limit: limit, wait: wait) }
        }
        if let limit = limits.tokensPerMinute {
            let wait = usage.tokens.wait(for: tokens)
            if wait != .zero { return .tokens(limit: limit, wanted: tokens, wait: wait) }
        }
        return nil
    }

    private static func standing(_ usage: Usage, _ limits: TenantLimits) -> RateStanding {
        var standing = RateStanding()
        if limits.requestsPerMinute != nil { standing.requests = .init(usage.requests) }
        if limits.tokensPerMinute != nil { standing.tokens = .init(usage.tokens) }
        return standing
    }
}

/// What becomes of a request.
public struct RateDecision: Sendable, Equatable {
    /// Where the tenant stands after it.
    public var standing: RateStanding
    /// Why it is refused; nil: it is admitted.
    public var refusal: RateRefusal?
    /// Tokens that were taken for it; nil: they are not counted, or it is refused.
    public var tokensTaken: Double?
}

/// Why a request is refused.
public enum RateRefusal: Sendable, Equatable {
    /// Too many requests in a minute; the next one may come after `wait`, or never when that is nil.
    case requests(limit: Int, wait: Duration?)
    /// Too many tokens in a minute.
    case tokens(limit: Int, wanted: Int, wait: Duration?)
    /// Too many requests at a time.
    case concurrency(limit: Int)
    /// Too many tenants ask at a time.
    case busy
}
