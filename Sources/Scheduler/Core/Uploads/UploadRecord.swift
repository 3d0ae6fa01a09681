/// What the metadata store keeps of an upload in parts (A8).
public struct UploadRecord: Sendable, Equatable, Codable {
    /// Largest file, in bytes (A8-01 says 8 GB: here 8 GiB, as all sizes of the contract are read as powers of two).
    public static let maximumBytes: Int64 = 8 << 30
    /// Most parts.
    public static let maximumParts = 10_000
    /// Most pending uploads of a tenant.
    public static let maximumLive = 1_000
    /// How long it takes parts and may be completed unless the scheduler is told otherwise, in seconds (A8-01).
    public static let lifetimeSeconds: Int64 = 3_600
    /// A completion that has begun may go on for so long, in seconds, whatever the upload's life time.
    public static let compositionSeconds: Int64 = 3_600
    /// An upload is remembered for so long after its end, in seconds.
    public static let retainedSeconds: Int64 = 86_400

    /// How it stands.
    public enum Status: String, Sendable, Codable, CaseIterable {
        case pending
        case completed
        case cancelled
        case expired
    }

    /// `upload_...`.
    public var id: String
    /// Whose it is.
    public var tenant: String
    /// What the file will be called; data, never a path (A7-11).
    public var filename: String
    /// What the file is for.
    public var purpose: FilePurpose
    /// Size of the file in bytes.
    public var bytes: Int64
    /// As the client said.
    public var mimeType: String
    /// The project that it was made for; nil: none.
    public var project: String?
    /// Life time of the file in seconds; nil: the purpose's default.
    public var fileLifetimeSeconds: Int64?
    /// Unix seconds.
    public var createdAt: Int64
    /// Unix seconds.
    public var expiresAt: Int64
    /// As it is stored; `status(at:)` is what clients see.
    public var status = Status.pending
    /// Parts that were added.
    public var parts = 0
    /// Bytes of these parts.
    public var receivedBytes: Int64 = 0
    /// A completion goes on until then at the latest, in Unix seconds; nil: none does.
    public var composingUntil: Int64?
    /// Whether parts may still be stored.
    public var holdsParts = false
    /// When it ended, in Unix seconds.
    public var endedAt: Int64?
    /// The file that it became.
    public var fileID: String?
    /// Tells the request that completed it from others.
    public var completion: String?

    /// A new upload.
    public init(
        id: String,
        tenant: String,
        filename: String,
        purpose: FilePurpose,
        bytes: Int64,
        mimeType: String,
        fileLifetimeSeconds: Int64?,
        createdAt: Int64,
        expiresAt: Int64
    ) {
        self.id = id
        self.tenant = tenant
        self.filename = filename
        self.purpose = purpose
        self.bytes = bytes
        self.mimeType = mimeType
        self.fileLifetimeSeconds = fileLifetimeSeconds
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    /// Most bytes of all parts together: a part whose answer was lost is sent again, so the file's bytes twice over, and
    /// one part more.
    public var maximumReceivedBytes: Int64 { 2 * self.bytes + UploadPartRecord.maximumBytes }

    /// How it stands at a time in Unix seconds: its end shows at once, whenever the sweep comes.
    public func status(at now: Int64) -> Status {
        guard self.status == .pending, now >= self.expiresAt, now >= self.composingUntil ?? .min else {
            return self.status
        }
        return .expired
    }

    /// Whether nobody will ask for it any more.
    public func isForgotten(at now: Int64) -> Bool {
        guard !self.holdsParts, let endedAt = self.endedAt else { return false }
        return endedAt + Self.retainedSeconds <= now
    }
}

/// What the metadata store keeps of a part; its bytes are a blob under its id.
public struct UploadPartRecord: Sendable, Equatable, Codable {
    /// Largest part, in bytes (A8-02).
    public static let maximumBytes: Int64 = 64 << 20

    /// `part_...`.
    public var id: String
    /// The upload that it belongs to.
    public var uploadID: String
    /// Whose it is.
    public var tenant: String
    /// Size in bytes.
    public var bytes: Int64
    /// Unix seconds.
    public var createdAt: Int64

    /// Makes a record.
    public init(id: String, uploadID: String, tenant: String, bytes: Int64, createdAt: Int64) {
        self.id = id
        self.uploadID = uploadID
        self.tenant = tenant
        self.bytes = bytes
        self.createdAt = createdAt
    }
}

extension FilePurpose {
    /// Largest file that an upload in parts may become: A7-05 keeps its bound for batch inputs, others may be larger than
    /// by one request (A8-01).
    public var maximumUploadBytes: Int64 { self == .batch ? self.maximumBytes : UploadRecord.maximumBytes }
}
