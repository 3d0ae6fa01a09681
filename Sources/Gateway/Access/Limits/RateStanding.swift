public import GatewayAPI

/// How much of its limits by the minute a tenant has left; nil where it has no limit.
public struct RateStanding: Sendable, Equatable {
    /// One limit.
    public struct Quantity: Sendable, Equatable {
        /// A minute's worth.
        public var limit: Int
        /// What can be used now.
        public var remaining: Int
        /// Time until all of it can be used again.
        public var reset: Duration

        init(_ bucket: TokenBucket) {
            self.limit = bucket.capacity
            self.remaining = bucket.remaining
            self.reset = bucket.untilFull
        }
    }

    /// Requests.
    public var requests: Quantity?
    /// Tokens.
    public var tokens: Quantity?

    /// No limits.
    public init() {}

    /// Header fields that tell it (A9-06).
    public var headers: [(name: String, value: String)] {
        [("requests", self.requests), ("tokens", self.tokens)].flatMap { kind, quantity in
            guard let quantity else { return [(name: String, value: String)]() }
            return [
                ("x-ratelimit-limit-\(kind)", String(quantity.limit)),
                ("x-ratelimit-remaining-\(kind)", String(quantity.remaining)),
                ("x-ratelimit-reset-\(kind)", quantity.reset.headerText),
            ]
        }
    }
}

extension Duration {
    /// As the hosted service writes times in headers (A9-06): `12ms`, `1s`, `1.5s`, `6m0s`; whole milliseconds, rounded
    /// up.
    var headerText: String {
        let milliseconds = Int((self / .milliseconds(1)).rounded(.up))
        guard milliseconds > 0 else { return "0s" }
        guard milliseconds >= 1_000 else { return "\(milliseconds)ms" }
        let (minutes, seconds, rest) = (milliseconds / 60_000, milliseconds / 1_000 % 60, milliseconds % 1_000)
        var text = (minutes > 0 ? "\(minutes)m" : "") + String(seconds)
        if rest > 0 {
            var digits = String(1_000 + rest).dropFirst()
            while digits.hasSuffix("0") { digits.removeLast() }
            text += "." + digits
        }
        return text + "s"
    }
}

extension RateRefusal {
    /// When a request that is refused for the number of those under way may be sent again.
    private static let concurrencyWait = Duration.seconds(1)
    /// When one may be sent again for whose kind the limit is 0.
    private static let longestWait = Duration.seconds(60)

    private var wait: Duration {
        switch self {
        case .requests(_, let wait), .tokens(_, _, let wait): wait ?? Self.longestWait
        case .concurrency, .busy: Self.concurrencyWait
        }
    }

    private var limit: String {
        switch self {
        case .requests(let limit, _): "\(limit) requests a minute"
        case .tokens(let limit, let wanted, _): "\(limit) tokens a minute, of which this request needs about \(wanted)"
        case .concurrency(let limit): "\(limit) requests at a time"
        case .busy: "too many tenants at a time"
        }
    }

    /// The answer: 429 with the time after which to try again, in whole seconds and in milliseconds (A9-05).
    public var error: APIError {
        APIError(
            status: 429,
            message: "Rate limit reached: \(self.limit). Try again in \(self.wait.headerText).",
            code: "rate_limit_exceeded",
            retryAfter: self.wait
        )
    }
}
