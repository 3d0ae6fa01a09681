import GatewayAPI
import GatewayAccess
import HTTPTypes
import Hummingbird
import Synchronization
import TenantLimits
import WatchedFiles

/// Holds requests to their tenants' limits by the minute and at a time.
final class RateLimiter: Sendable {
    private let limits: WatchedFile<LimitsTable>?
    private let machine = Mutex(RateLimitsStateMachine())
    private let start = ContinuousClock.now

    /// - Parameter limits: the limits; nil: none.
    init(limits: WatchedFile<LimitsTable>?) {
        self.limits = limits
    }

    /// A request begins; nil when nothing is counted for the tenant.
    ///
    /// - Parameter tokens: how many it will use, as far as that is known.
    func begin(_ caller: Caller, tokens: @autoclosure () -> Int) -> Admission? {
        guard let limits = self.limits?.current[caller.tenant], limits.isCountedByGateways, caller.keyName != nil
        else { return nil }
        let now = ContinuousClock.now - self.start
        let tokens = tokens()
        let decision = self.machine.withLock { $0.begin(caller.tenant, limits, tokens: tokens, now: now) }
        return Admission(decision: decision, tenant: caller.tenant, limiter: self)
    }

    fileprivate func used(_ tenant: String, tokens: Int, insteadOf taken: Double) {
        let now = ContinuousClock.now - self.start
        self.machine.withLock { $0.used(tenant, tokens: tokens, insteadOf: taken, now: now) }
    }

    fileprivate func end(_ tenant: String) {
        self.machine.withLock { $0.end(tenant) }
    }
}

/// A request that was admitted or refused; an admitted one is under way as long as this object lives.
final class Admission: Sendable {
    private let decision: RateDecision
    private let tenant: String
    private let limiter: RateLimiter

    fileprivate init(decision: RateDecision, tenant: String, limiter: RateLimiter) {
        self.decision = decision
        self.tenant = tenant
        self.limiter = limiter
    }

    deinit {
        if self.decision.refusal == nil { self.limiter.end(self.tenant) }
    }

    /// Why it is refused; nil: it is admitted.
    var refusal: APIError? { self.decision.refusal?.error }

    /// Header fields that tell where the tenant stands.
    var headers: [(name: String, value: String)] { self.decision.standing.headers }

    /// Tells in the answer where the tenant stands, and ends with the answer's last byte.
    func accompany(_ response: inout Response) {
        for (name, value) in self.headers {
            guard let name = HTTPField.Name(name) else { continue }
            response.headers[name] = value
        }
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            defer { withExtendedLifetime(self) {} }
            try await body.write(writer)
        }
    }

    /// What looks at an engine's answer, if its tokens are counted; nil otherwise.
    func tail(ofAnswerWith status: Int) -> AnswerTail? {
        guard let taken = self.decision.tokensTaken, taken > 0, (200..<300).contains(status) else { return nil }
        return AnswerTail()
    }

    /// An engine's answer has ended: what it says it has used stands for what was expected. Before its last byte is
    /// written, so that the client's next request finds it.
    func ended(_ answer: AnswerTail) {
        guard let taken = self.decision.tokensTaken, let tokens = answer.totalTokens else { return }
        self.limiter.used(self.tenant, tokens: tokens, insteadOf: taken)
    }
}
