/// What a record counts towards its tenant's quotas.
public struct RecordWeight: Sendable, Hashable {
    /// Bytes of a file.
    public var bytes: Int64
    /// Requests of a batch that has not ended.
    public var requests: Int64
    /// Tokens of these requests, as far as they are known.
    public var tokens: Int64

    /// Makes a weight.
    public init(bytes: Int64 = 0, requests: Int64 = 0, tokens: Int64 = 0) {
        self.bytes = bytes
        self.requests = requests
        self.tokens = tokens
    }
}

/// What a tenant has at the moment.
public struct TenantUsage: Sendable, Hashable {
    /// The sum over its records.
    public var weight: RecordWeight
    /// Batches created in the last hour that are there still.
    public var recentBatches: Int
    /// When the oldest of these was created, in Unix milliseconds; nil when there is none.
    public var oldestRecentBatch: Int64?

    /// Makes a usage.
    public init(weight: RecordWeight = RecordWeight(), recentBatches: Int = 0, oldestRecentBatch: Int64? = nil) {
        self.weight = weight
        self.recentBatches = recentBatches
        self.oldestRecentBatch = oldestRecentBatch
    }
}

/// What a tenant may have; nil: as much as there is.
public struct TenantQuota: Sendable, Hashable {
    /// Bytes of files.
    public var storedBytes: Int64?
    /// Requests in batches that have not ended (A2-09).
    public var enqueuedRequests: Int64?
    /// Tokens of these (A2-09).
    public var enqueuedTokens: Int64?
    /// Batches created in an hour (A2-09).
    public var batchesPerHour: Int?

    /// No quotas.
    public init() {}

    /// The hour in which batches are counted, in milliseconds.
    public static let windowMilliseconds: Int64 = 3_600_000

    /// What is exceeded; nil: nothing.
    ///
    /// - Parameters:
    ///   - usage: with what is about to be stored.
    ///   - now: Unix milliseconds.
    public func excess(of usage: TenantUsage, now: Int64) -> QuotaExcess? {
        if let limit = self.batchesPerHour, usage.recentBatches > limit {
            let end = (usage.oldestRecentBatch ?? now) + Self.windowMilliseconds
            return .batchesPerHour(limit: limit, milliseconds: min(max(end - now, 1), Self.windowMilliseconds))
        }
        if let limit = self.storedBytes, usage.weight.bytes > limit { return .storedBytes(limit: limit) }
        if let limit = self.enqueuedRequests, usage.weight.requests > limit { return .enqueuedRequests(limit: limit) }
        if let limit = self.enqueuedTokens, usage.weight.tokens > limit { return .enqueuedTokens(limit: limit) }
        return nil
    }
}

/// A quota that would be exceeded.
public enum QuotaExcess: Sendable, Hashable {
    /// Too many bytes of files.
    case storedBytes(limit: Int64)
    /// Too many batches in an hour; the oldest of them is an hour old in so many milliseconds.
    case batchesPerHour(limit: Int, milliseconds: Int64)
    /// Too many requests in batches.
    case enqueuedRequests(limit: Int64)
    /// Too many tokens in batches.
    case enqueuedTokens(limit: Int64)

    /// What a batch fails with that would exceed the quota (A2-09); nil: such a batch is not created at all.
    public var problem: InputProblem? {
        switch self {
        case .storedBytes, .batchesPerHour: nil
        case .enqueuedRequests(let limit):
            InputProblem(
                code: "request_limit_exceeded",
                message: "Enqueued request limit reached: \(limit) requests in batches that have not ended. "
                    + "Try again when some of them have."
            )
        case .enqueuedTokens(let limit):
            InputProblem(
                code: "token_limit_exceeded",
                message: "Enqueued token limit reached: \(limit) tokens in batches that have not ended. "
                    + "Try again when some of them have."
            )
        }
    }
}

/// What the requests of a batch count towards its tenant's quotas while it has not ended.
public struct EnqueuedWork: Sendable, Equatable, Codable {
    /// Bytes of input that are taken for a token.
    public static let bytesPerToken: Int64 = 4

    /// Requests.
    public var requests: Int64
    /// Their tokens, estimated.
    public var tokens: Int64

    /// The work of an input file.
    public init(lines: Int, bytes: Int64) {
        self.requests = Int64(lines)
        self.tokens = (bytes + Self.bytesPerToken - 1) / Self.bytesPerToken
    }
}
