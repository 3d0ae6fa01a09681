import GatewayAPI
import GatewayAccess
import TenantLimits
import Testing

/// Limits by the minute and at a time (A9-05, A9-06).
struct RateLimitsTests {
    private var machine = RateLimitsStateMachine()
    private static let start = Duration.seconds(1_000)

    private static func limits(requests: Int? = nil, tokens: Int? = nil, concurrent: Int? = nil) -> TenantLimits {
        var limits = TenantLimits()
        limits.requestsPerMinute = requests
        limits.tokensPerMinute = tokens
        limits.concurrentRequests = concurrent
        return limits
    }

    private static func headers(_ decision: RateDecision) -> [String: String] {
        Dictionary(uniqueKeysWithValues: decision.standing.headers.map { ($0.name, $0.value) })
    }

    @Test mutating func aMinutesWorthIsThereAtOnceAndComesBackEvenly() {
        let limits = Self.limits(requests: 3)
        for left in [2, 1, 0] {
            let decision = self.machine.begin("a", limits, tokens: 0, now: Self.start)
            #expect(decision.refusal == nil)
            #expect(decision.standing.requests?.remaining == left)
            self.machine.end("a")
        }
        let refused = self.machine.begin("a", limits, tokens: 0, now: Self.start)
        #expect(refused.refusal == .requests(limit: 3, wait: .seconds(20)))
        let early = self.machine.begin("a", limits, tokens: 0, now: Self.start + .milliseconds(19_999))
        #expect(early.refusal != nil)
        let inTime = self.machine.begin("a", limits, tokens: 0, now: Self.start + .seconds(20))
        #expect(inTime.refusal == nil)
        let next = self.machine.begin("a", limits, tokens: 0, now: Self.start + .seconds(20))
        #expect(next.refusal == .requests(limit: 3, wait: .seconds(20)))
    }

    @Test mutating func moreThanAMinutesWorthIsNeverSaved() {
        let limits = Self.limits(requests: 2)
        _ = self.machine.begin("a", limits, tokens: 0, now: Self.start)
        let later = Self.start + .seconds(86_400)
        #expect(self.machine.begin("a", limits, tokens: 0, now: later).standing.requests?.remaining == 1)
        #expect(self.machine.begin("a", limits, tokens: 0, now: later).standing.requests?.remaining == 0)
        #expect(self.machine.begin("a", limits, tokens: 0, now: later).refusal != nil)
    }

    @Test mutating func aClockThatStandsStillOrGoesBackGivesNothing() {
        let limits = Self.limits(requests: 1)
        _ = self.machine.begin("a", limits, tokens: 0, now: Self.start)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start - .seconds(500)).refusal != nil)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start + .seconds(59)).refusal != nil)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start + .seconds(60)).refusal == nil)
    }

    @Test mutating func tenantsHaveBucketsOfTheirOwn() {
        let limits = Self.limits(requests: 1)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start).refusal == nil)
        #expect(self.machine.begin("b", limits, tokens: 0, now: Self.start).refusal == nil)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start).refusal != nil)
    }

    @Test mutating func tokensAreCountedBesideRequests() {
        let limits = Self.limits(tokens: 600)
        #expect(self.machine.begin("a", limits, tokens: 500, now: Self.start).standing.tokens?.remaining == 100)
        self.machine.end("a")
        let refused = self.machine.begin("a", limits, tokens: 200, now: Self.start)
        #expect(refused.refusal == .tokens(limit: 600, wanted: 200, wait: .seconds(10)))
        #expect(refused.standing.tokens?.remaining == 100)
        #expect(self.machine.begin("a", limits, tokens: 100, now: Self.start).refusal == nil)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start).refusal == nil)
    }

    @Test(
        "what an answer has used stands in the place of what was expected, whichever is more",
        arguments: [(100, 300, 700), (300, 100, 900), (100, 5_000, 0), (5_000, 100, 900), (100, 0, 1_000)]
    )
    mutating func settled(expected: Int, used: Int, remaining: Int) throws {
        let limits = Self.limits(tokens: 1_000)
        let taken = try #require(self.machine.begin("a", limits, tokens: expected, now: Self.start).tokensTaken)
        self.machine.used("a", tokens: used, insteadOf: taken, now: Self.start)
        self.machine.end("a")
        let next = self.machine.begin("a", limits, tokens: 0, now: Self.start)
        #expect(next.standing.tokens?.remaining == remaining)
        // A single use is paid back within a minute, also one that was not foreseen.
        let later = self.machine.begin("a", limits, tokens: 0, now: Self.start + .seconds(120))
        #expect(later.standing.tokens?.remaining == 1_000)
    }

    @Test mutating func whatCameBackWhileAnAnswerWasMadeIsNotGivenTwice() throws {
        let limits = Self.limits(tokens: 600)
        let taken = try #require(self.machine.begin("a", limits, tokens: 500, now: Self.start).tokensTaken)
        let end = Self.start + .seconds(60)
        self.machine.used("a", tokens: 200, insteadOf: taken, now: end)
        #expect(self.machine.begin("a", limits, tokens: 0, now: end).standing.tokens?.remaining == 400)
    }

    @Test mutating func withoutALimitOfTokensNothingIsTakenForThem() {
        let limits = Self.limits(requests: 5)
        #expect(self.machine.begin("a", limits, tokens: 500, now: Self.start).tokensTaken == nil)
        self.machine.used("unknown", tokens: 5, insteadOf: 1, now: Self.start)
        #expect(self.machine.count == 1)
    }

    @Test mutating func aRequestLargerThanTheLimitGoesWhenTheBucketIsFull() {
        let limits = Self.limits(tokens: 60)
        #expect(self.machine.begin("a", limits, tokens: 1_000_000, now: Self.start).refusal == nil)
        let refused = self.machine.begin("a", limits, tokens: 1, now: Self.start)
        #expect(refused.refusal == .tokens(limit: 60, wanted: 1, wait: .seconds(61)))
        #expect(self.machine.begin("a", limits, tokens: 1, now: Self.start + .seconds(61)).refusal == nil)
    }

    @Test mutating func requestsAtATimeAreCountedUntilTheyEnd() {
        let limits = Self.limits(requests: 100, concurrent: 2)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start).refusal == nil)
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start).refusal == nil)
        let refused = self.machine.begin("a", limits, tokens: 0, now: Self.start)
        #expect(refused.refusal == .concurrency(limit: 2))
        // What is refused costs nothing.
        #expect(refused.standing.requests?.remaining == 98)
        self.machine.end("a")
        #expect(self.machine.begin("a", limits, tokens: 0, now: Self.start).refusal == nil)
    }

    @Test mutating func aLimitOfZeroLetsNothingThrough() {
        let decision = self.machine.begin("a", Self.limits(requests: 0), tokens: 0, now: Self.start)
        #expect(decision.refusal == .requests(limit: 0, wait: nil))
        #expect(decision.refusal?.error.retryAfterSeconds == 60)
        #expect(self.machine.begin("b", Self.limits(concurrent: 0), tokens: 0, now: Self.start).refusal != nil)
    }

    @Test mutating func changedLimitsCountAtOnce() {
        _ = self.machine.begin("a", Self.limits(requests: 100), tokens: 0, now: Self.start)
        let less = self.machine.begin("a", Self.limits(requests: 2), tokens: 0, now: Self.start)
        #expect(less.standing.requests?.remaining == 1)
        let more = self.machine.begin("a", Self.limits(requests: 60), tokens: 0, now: Self.start + .seconds(3))
        #expect(more.refusal == nil)
        #expect(more.standing.requests?.remaining == 0)
    }

    @Test mutating func aLoweredLimitLocksNobodyOutForLongerThanTwoMinutes() {
        _ = self.machine.begin("a", Self.limits(tokens: 1_000_000), tokens: 1_000_000, now: Self.start)
        self.machine.used("a", tokens: 2_000_000, insteadOf: 1_000_000, now: Self.start)
        let lowered = Self.limits(tokens: 10_000)
        #expect(self.machine.begin("a", lowered, tokens: 10_000, now: Self.start).refusal != nil)
        let later = Self.start + .seconds(120)
        #expect(self.machine.begin("a", lowered, tokens: 10_000, now: later).refusal == nil)
    }

    @Test mutating func thoseThatAskedForNothingLatelyAreForgottenAndTheOthersAreNot() {
        self.machine = RateLimitsStateMachine(maximumTenants: 2)
        let limits = Self.limits(requests: 60)
        _ = self.machine.begin("a", limits, tokens: 0, now: Self.start)
        _ = self.machine.begin("b", limits, tokens: 0, now: Self.start)
        self.machine.end("b")
        #expect(self.machine.begin("c", limits, tokens: 0, now: Self.start).refusal == .busy)
        #expect(self.machine.count == 2)
        // Now b's bucket is full again; a's is too, but its request goes on.
        #expect(self.machine.begin("c", limits, tokens: 0, now: Self.start + .seconds(1)).refusal == nil)
        #expect(self.machine.count == 2)
        #expect(self.machine.begin("d", limits, tokens: 0, now: Self.start + .seconds(1)).refusal == .busy)
        self.machine.end("a")
        #expect(self.machine.begin("d", limits, tokens: 0, now: Self.start + .seconds(1)).refusal == nil)
    }

    @Test("A9-06 headers tell the limit, what is left and when all of it is there again")
    mutating func headers() {
        let limits = Self.limits(requests: 60, tokens: 6_000)
        let decision = self.machine.begin("a", limits, tokens: 1_500, now: Self.start)
        #expect(
            Self.headers(decision) == [
                "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s", "x-ratelimit-limit-tokens": "6000",
                "x-ratelimit-remaining-tokens": "4500", "x-ratelimit-reset-tokens": "15s",
            ]
        )
        let none = self.machine.begin("b", TenantLimits(), tokens: 5, now: Self.start)
        #expect(none.refusal == nil)
        #expect(Self.headers(none) == [:])
    }

    @Test(
        "A9-06 times are written as the hosted service does",
        arguments: [
            (1, 60_000, "1ms"), (83, 60_000, "83ms"), (1_000, 60_000, "1s"), (1_500, 60_000, "1.5s"),
            (8_640, 60_000, "8.64s"), (59_999, 60_000, "59.999s"), (60_000, 60_000, "1m0s"),
        ]
    )
    mutating func durations(milliseconds: Int, limit: Int, text: String) {
        let limits = Self.limits(tokens: limit)
        let decision = self.machine.begin("a", limits, tokens: milliseconds, now: .zero)
        #expect(Self.headers(decision)["x-ratelimit-reset-tokens"] == text)
    }

    @Test("A9-05 a refusal says after how long to try again")
    mutating func retryAfter() throws {
        let limits = Self.limits(requests: 50)
        for _ in 0..<50 { _ = self.machine.begin("a", limits, tokens: 0, now: Self.start) }
        let error = try #require(self.machine.begin("a", limits, tokens: 0, now: Self.start).refusal?.error)
        #expect((error.status, error.code) == (429, "rate_limit_exceeded"))
        let headers = Dictionary(uniqueKeysWithValues: error.headers.map { ($0.name, $0.value) })
        #expect(headers == ["retry-after": "2", "retry-after-ms": "1200"])
        #expect(error.message == "Rate limit reached: 50 requests a minute. Try again in 1.2s.")
    }
}
