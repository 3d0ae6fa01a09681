/// What the metadata store keeps of a file.
public struct FileRecord: Sendable, Equatable, Codable {
    /// `file-...`.
    public var id: String
    /// Whose file it is.
    public var tenant: String
    /// The project that it was made for; nil: none.
    public var project: String?
    /// Size in bytes.
    public var bytes: Int64
    /// Unix seconds.
    public var createdAt: Int64
    /// Unix seconds; nil: kept until deleted.
    public var expiresAt: Int64?
    /// As the client named it; data, never a path (A7-11).
    public var filename: String
    /// One of `FilePurpose`.
    public var purpose: FilePurpose
    /// What the file-level pass found, for files of purpose `batch`.
    public var input: InputFileFindings?
    /// Where its bytes are, when not under its id.
    public var blob: String?

    /// Where its bytes are.
    public var blobKey: String { self.blob ?? self.id }

    /// Makes a record.
    public init(
        id: String,
        tenant: String,
        bytes: Int64,
        createdAt: Int64,
        expiresAt: Int64?,
        filename: String,
        purpose: FilePurpose,
        input: InputFileFindings? = nil,
        blob: String? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.bytes = bytes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.filename = filename
        self.purpose = purpose
        self.input = input
        self.blob = blob
    }

    /// Whether the file is past its life time at `unixSeconds` (A7-12).
    public func isExpired(at unixSeconds: Int64) -> Bool {
        self.expiresAt.map { $0 <= unixSeconds } ?? false
    }
}

/// What a file is for (A7-01, A7-04).
public enum FilePurpose: String, Sendable, Codable, CaseIterable {
    case assistants
    case batch
    case batchOutput = "batch_output"
    case fineTune = "fine-tune"
    case vision
    case userData = "user_data"
    case evals

    /// Whether a client may upload a file of this purpose.
    public var isUploadable: Bool { self != .batchOutput }

    /// Largest file in bytes (A7-05): 200 MB for batch input, 512 MB otherwise.
    public var maximumBytes: Int64 { self == .batch ? 200 << 20 : 512 << 20 }

    /// Life time of a file whose client asks for none, in seconds (A7-06); nil: until deleted.
    public var defaultLifetimeSeconds: Int64? {
        self == .batch || self == .batchOutput ? 30 * 86_400 : nil
    }
}

/// What the file-level pass over a batch input found, stored with the file so that creating a batch is O(1).
public struct InputFileFindings: Sendable, Equatable, Codable {
    /// Requests in the file.
    public var lines: Int
    /// Distinct models, in order of appearance; a plan entry refers to one by index.
    public var models: [String]
    /// Distinct urls, in order of appearance; a plan entry refers to one by index.
    public var urls: [String]
    /// What is wrong, in line order; at most `InputFileFindings.maximumProblems`.
    public var problems: [InputProblem]
    /// How many more problems there are.
    public var problemsOmitted: Int

    /// Most problems that are kept (A3-07).
    public static let maximumProblems = 100

    /// Makes findings.
    public init(lines: Int, models: [String], urls: [String], problems: [InputProblem], problemsOmitted: Int) {
        self.lines = lines
        self.models = models
        self.urls = urls
        self.problems = problems
        self.problemsOmitted = problemsOmitted
    }
}

/// One entry of a batch's `errors` (A1-09).
public struct InputProblem: Sendable, Equatable, Codable {
    /// Such as `invalid_json_line`.
    public var code: String
    /// For people.
    public var message: String
    /// The field at fault, if one is.
    public var param: String?
    /// 1-based line of the input file; nil: the whole file.
    public var line: Int?

    /// Makes a problem.
    public init(code: String, message: String, param: String? = nil, line: Int? = nil) {
        self.code = code
        self.message = message
        self.param = param
        self.line = line
    }
}
