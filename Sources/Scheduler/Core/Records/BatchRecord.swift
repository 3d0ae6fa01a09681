/// What the metadata store keeps of a batch. Everything about single lines is in the job's files.
public struct BatchRecord: Sendable, Equatable, Codable {
    /// `batch_...`.
    public var id: String
    /// Whose batch it is.
    public var tenant: String
    /// The project that it was made for; nil: none.
    public var project: String?
    /// The path every line names.
    public var endpoint: String
    /// The one model that all lines name, once validated.
    public var model: String?
    /// All models that lines name; a plan entry refers to one by index.
    public var models: [String] = []
    /// The input; its bytes outlive the file's deletion until the batch ends (A7-10).
    public var inputFileID: String
    /// What the file-level pass found in the input, kept until the batch is validated: the file may be deleted before.
    public var findings: InputFileFindings?
    /// What a client of AIBrix sent with it.
    public var aibrix: AIBrixExtension?
    /// What its requests count towards the tenant's quotas while it has not ended; nil: nothing.
    public var enqueued: EnqueuedWork?
    /// As the client wrote it.
    public var completionWindow: String
    /// Where the batch stands.
    public var status: BatchStatus
    /// Why the batch is on its way to an early end, while it is `cancelling` or `finalizing`.
    public var ending: BatchEnding?
    /// Ids chosen at creation, so that a repeated finalisation writes the same files. Visible once `hasOutput` and
    /// `hasErrors` say that there is something in them.
    public var outputFileID: String
    /// See `outputFileID`.
    public var errorFileID: String
    /// The output file exists.
    public var hasOutput = false
    /// The error file exists.
    public var hasErrors = false
    /// When it entered each state.
    public var times: BatchTimes
    /// Derived from the result log: of a moment ago while the batch runs, exact once it is terminal.
    public var counts = RequestCounts()
    /// Like the counts.
    public var usage = TokenUsage()
    /// Why nothing moves, for people, while nothing does.
    public var waitingReason: String?
    /// Since when the client wants no lines to be sent, in Unix seconds; nil: it wants them sent.
    public var pausedAt: Int64?
    /// The batch whose failed lines these are; nil: none.
    public var retryOf: String?
    /// The client's own pairs.
    public var metadata: [String: String]
    /// Why it failed validation.
    public var problems: [InputProblem] = []
    /// How many more problems there are.
    public var problemsOmitted = 0
    /// Life time of output and error file in seconds; nil: the default.
    public var outputLifetimeSeconds: Int64?
    /// Rises each time a scheduler takes the batch up; names that owner's segments.
    public var epoch: UInt32 = 0
    /// The result log's segments accepted when the current epoch began, oldest first.
    public var segments: [SegmentReference] = []

    /// Makes the record of a batch that was just created.
    public init(
        id: String,
        tenant: String,
        endpoint: String,
        inputFileID: String,
        findings: InputFileFindings? = nil,
        completionWindow: CompletionWindow,
        outputFileID: String,
        errorFileID: String,
        createdAt: Int64,
        metadata: [String: String],
        outputLifetimeSeconds: Int64?
    ) {
        self.id = id
        self.tenant = tenant
        self.endpoint = endpoint
        self.inputFileID = inputFileID
        self.completionWindow = completionWindow.text
        self.status = .validating
        self.findings = findings
        self.models = findings?.models ?? []
        self.outputFileID = outputFileID
        self.errorFileID = errorFileID
        self.times = BatchTimes(createdAt: createdAt, expiresAt: createdAt + completionWindow.seconds)
        self.metadata = metadata
        self.outputLifetimeSeconds = outputLifetimeSeconds
    }
}

/// The states of the API (A1-04).
public enum BatchStatus: String, Sendable, Codable, CaseIterable {
    case validating
    case failed
    case inProgress = "in_progress"
    case finalizing
    case completed
    case expired
    case cancelling
    case cancelled

    /// Whether nothing changes any more (I-05).
    public var isTerminal: Bool {
        switch self {
        case .failed, .completed, .expired, .cancelled: true
        case .validating, .inProgress, .finalizing, .cancelling: false
        }
    }
}

/// Why a batch ends before all its lines were run.
public enum BatchEnding: String, Sendable, Codable, CaseIterable {
    case cancelled
    case expired
}

/// When a batch entered its states, in Unix seconds; each is set once (A1-05).
public struct BatchTimes: Sendable, Equatable, Codable {
    /// Creation.
    public var createdAt: Int64
    /// When the window ends.
    public var expiresAt: Int64
    /// First line may be sent.
    public var inProgressAt: Int64?
    /// Output is being assembled.
    public var finalizingAt: Int64?
    /// Terminal.
    public var completedAt: Int64?
    /// Terminal.
    public var failedAt: Int64?
    /// Terminal.
    public var expiredAt: Int64?
    /// Cancel was acknowledged.
    public var cancellingAt: Int64?
    /// Terminal.
    public var cancelledAt: Int64?

    /// Times of a new batch.
    public init(createdAt: Int64, expiresAt: Int64) {
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// How far a batch is (A1-07).
public struct RequestCounts: Sendable, Equatable, Codable {
    /// Lines of the input; 0 until it is validated.
    public var total = 0
    /// Lines with an answer of status 200.
    public var completed = 0
    /// Lines with an error line.
    public var failed = 0

    /// Counts.
    public init(total: Int = 0, completed: Int = 0, failed: Int = 0) {
        self.total = total
        self.completed = completed
        self.failed = failed
    }
}

/// A segment of a result log and how many of its bytes count.
public struct SegmentReference: Sendable, Equatable, Codable {
    /// Epoch of the owner that wrote it.
    public var epoch: UInt32
    /// Bytes accepted; what follows them does not exist.
    public var bytes: Int64

    /// Makes a reference.
    public init(epoch: UInt32, bytes: Int64) {
        self.epoch = epoch
        self.bytes = bytes
    }
}
