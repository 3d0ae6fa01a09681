public import SchedulerCore

/// Where the records of files and batches live: SQLite here; Redis and MongoDB can be put behind the same protocol.
///
/// Records are opaque bytes with a version. Nothing here knows what a batch is.
public protocol MetadataStore: LeaseStore {
    /// The record, or nil.
    func get(_ key: RecordKey) async throws(StoreError) -> StoredRecord?

    /// Records of one kind, in the order of their ids, which is that of their creation.
    func list(_ query: RecordQuery) async throws(StoreError) -> [StoredRecord]

    /// Applies all changes or none; durable when it returns.
    /// - Throws: `StoreError.conflict` when an expected version is not the stored one, an insert finds a record, a
    ///   required one is missing or there are too many; `StoreError.fenced` when a required lease has ended;
    ///   `StoreError.tooManyAnswers` when the answer's scope has as many live ones as it may; `StoreError.overQuota`.
    func apply(_ changes: [RecordChange], remembering answer: RememberedAnswer?) async throws(StoreError)

    /// The answer remembered for an idempotency key, unless it is older than `notBefore` (Unix seconds).
    func rememberedAnswer(
        scope: String,
        key: String,
        notBefore: Int64
    ) async throws(StoreError) -> RememberedAnswer?

    /// Forgets answers remembered before `time` (Unix seconds).
    func forgetAnswers(before time: Int64) async throws(StoreError)
}

extension MetadataStore {
    /// Applies changes without an idempotency key.
    public func apply(_ changes: [RecordChange]) async throws(StoreError) {
        try await self.apply(changes, remembering: nil)
    }
}

/// What a record is about.
public enum RecordKind: String, Sendable, Hashable {
    case file
    case batch
    case upload
    case uploadPart = "upload_part"
}

/// Names a record.
public struct RecordKey: Sendable, Hashable {
    /// What it is about.
    public var kind: RecordKind
    /// Id of the object.
    public var id: String

    /// Makes a key.
    public init(_ kind: RecordKind, _ id: String) {
        self.kind = kind
        self.id = id
    }
}

/// A record as a store keeps it.
public struct StoredRecord: Sendable, Equatable {
    /// Its name.
    public var key: RecordKey
    /// Whose it is.
    public var tenant: String
    /// What lists filter by: a file's purpose; whether a batch or an upload goes on; the upload of a part.
    public var label: String
    /// Rises by one with each change; 1 when inserted.
    public var version: Int64
    /// The encoded object.
    public var payload: [UInt8]
    /// What it counts towards its tenant's quotas.
    public var weight = RecordWeight()

    /// Makes a record.
    public init(key: RecordKey, tenant: String, label: String, version: Int64, payload: [UInt8]) {
        self.key = key
        self.tenant = tenant
        self.label = label
        self.version = version
        self.payload = payload
    }
}

/// One change of a transaction.
public enum RecordChange: Sendable {
    /// The record must not exist; its version becomes 1.
    case insert(StoredRecord)
    /// The stored version must be the given record's; the new one is one higher.
    case update(StoredRecord)
    /// The record must exist.
    case delete(RecordKey)
    /// The record must exist; nothing is changed.
    case require(RecordKey)
    /// With the changes before this one, the tenant must have no more than its quota; nothing is changed.
    case requireQuota(TenantQuota, tenant: String, unixMilliseconds: Int64)
    /// The owner's lease must not have ended; nothing is changed. The fence for writes of a paused owner (I-08).
    case requireLease(owner: String)
    /// Fewer than `count` records of the kind, tenant and label must exist; nothing is changed.
    case requireFewer(than: Int, of: RecordKind, tenant: String, label: String)
}

/// What to list.
public struct RecordQuery: Sendable {
    /// Which kind.
    public var kind: RecordKind
    /// Only this tenant's; nil: everybody's.
    public var tenant: String?
    /// Only with this label; nil: any.
    public var label: String?
    /// Only ids beyond this position in the direction of the list. The id need not exist.
    public var after: String?
    /// Oldest first; otherwise newest first.
    public var ascending: Bool
    /// Most records to give.
    public var limit: Int

    /// Makes a query.
    public init(
        kind: RecordKind,
        tenant: String? = nil,
        label: String? = nil,
        after: String? = nil,
        ascending: Bool = false,
        limit: Int
    ) {
        self.kind = kind
        self.tenant = tenant
        self.label = label
        self.after = after
        self.ascending = ascending
        self.limit = limit
    }
}

/// The answer of a call that carried an idempotency key.
public struct RememberedAnswer: Sendable, Equatable {
    /// How long it is honoured, in seconds; while it is, another answer under its key is a conflict.
    public static let lifetimeSeconds: Int64 = 86_400
    /// Most live answers of one scope.
    public static let maximumLive = 10_000

    /// Tenant and method.
    public var scope: String
    /// The client's key.
    public var key: String
    /// Hash of the request: another request under the same key is refused.
    public var requestHash: [UInt8]
    /// What was answered, such as a batch id.
    public var answer: String
    /// Unix seconds.
    public var createdAt: Int64

    /// Makes an entry.
    public init(scope: String, key: String, requestHash: [UInt8], answer: String, createdAt: Int64) {
        self.scope = scope
        self.key = key
        self.requestHash = requestHash
        self.answer = answer
        self.createdAt = createdAt
    }
}

/// Why a store did not do what was asked.
public enum StoreError: Error, Sendable, Equatable {
    /// Somebody else changed the record first.
    case conflict
    /// The owner's lease has ended: what it was doing is somebody else's now.
    case fenced
    /// The record is not there any more.
    case gone(RecordKey)
    /// The stored bytes are of another version or cannot be read; the text names the record.
    case unreadable(String)
    /// As many answers are remembered for the scope as may be; the oldest ends in so many seconds.
    case tooManyAnswers(secondsLeft: Int64)
    /// The tenant would have more than it may.
    case overQuota(QuotaExcess)
    /// The store has no room left.
    case full(String)
    /// The store cannot be reached or does not work now.
    case unavailable(String)
    /// The store's own files are damaged: what it gives cannot be relied on until somebody repairs them.
    case damaged(String)
    /// What was written may be lost without anybody being able to tell (T-06).
    case broken(String)

    /// Whether the only way on is to start over from what is on disk.
    public var isFatal: Bool {
        if case .broken = self { true } else { false }
    }
}
