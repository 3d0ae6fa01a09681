import Settings

/// What a tenant may ask for; nil: as much as there is.
public struct TenantLimits: Sendable, Hashable {
    /// Requests a minute, at each gateway.
    public var requestsPerMinute: Int?
    /// Tokens of online requests a minute, at each gateway.
    public var tokensPerMinute: Int?
    /// Requests under way at a time, at each gateway.
    public var concurrentRequests: Int?
    /// Batches created in an hour, over all gateways.
    public var batchesPerHour: Int?
    /// Bytes of all files, over all gateways.
    public var storedBytes: Int?
    /// Requests in batches that have not ended, over all gateways.
    public var enqueuedRequests: Int?
    /// Tokens of requests in batches that have not ended, over all gateways.
    public var enqueuedTokens: Int?

    /// No limits.
    public init() {}

    /// Whether a gateway has anything to count.
    public var isCountedByGateways: Bool {
        self.requestsPerMinute != nil || self.tokensPerMinute != nil || self.concurrentRequests != nil
    }

    /// Names of the limits in a file, in the order of the documentation.
    static let fields = [
        "requests_per_minute", "tokens_per_minute", "concurrent_requests", "batches_per_hour", "stored_bytes",
        "enqueued_requests", "enqueued_tokens",
    ]
    /// What any limit may be. At 0 nothing is allowed.
    static let range = 0...1_000_000_000_000_000

    init(_ mapping: StrictMapping) throws(SettingsError) {
        self.requestsPerMinute = try mapping.integer("requests_per_minute", in: Self.range)
        self.tokensPerMinute = try mapping.integer("tokens_per_minute", in: Self.range)
        self.concurrentRequests = try mapping.integer("concurrent_requests", in: Self.range)
        self.batchesPerHour = try mapping.integer("batches_per_hour", in: Self.range)
        self.storedBytes = try mapping.integer("stored_bytes", in: Self.range)
        self.enqueuedRequests = try mapping.integer("enqueued_requests", in: Self.range)
        self.enqueuedTokens = try mapping.integer("enqueued_tokens", in: Self.range)
    }
}
