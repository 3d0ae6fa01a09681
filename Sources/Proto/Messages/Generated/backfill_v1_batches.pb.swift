// Generated from backfill/v1/batches.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// Which of AIBrix's two shapes the extension came in, and is shown in.
public struct AibrixShape: RawRepresentable, Sendable, Hashable {
    /// Number on the wire; numbers without a name are kept as they came.
    public var rawValue: Int32
    /// Wraps a number.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// AIBRIX_SHAPE_UNSPECIFIED.
    public static let unspecified = AibrixShape(rawValue: 0)
    /// With `runtime` and `resource_allocation`, as in AIBrix 0.8.
    public static let runtime = AibrixShape(rawValue: 1)
    /// With `planner_decision`, as before.
    public static let plannerDecision = AibrixShape(rawValue: 2)
}

/// `BatchStatus` of backfill/v1/batches.proto.
public struct BatchStatus: RawRepresentable, Sendable, Hashable {
    /// Number on the wire; numbers without a name are kept as they came.
    public var rawValue: Int32
    /// Wraps a number.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// BATCH_STATUS_UNSPECIFIED.
    public static let unspecified = BatchStatus(rawValue: 0)
    /// BATCH_STATUS_VALIDATING.
    public static let validating = BatchStatus(rawValue: 1)
    /// BATCH_STATUS_FAILED.
    public static let failed = BatchStatus(rawValue: 2)
    /// BATCH_STATUS_IN_PROGRESS.
    public static let inProgress = BatchStatus(rawValue: 3)
    /// BATCH_STATUS_FINALIZING.
    public static let finalizing = BatchStatus(rawValue: 4)
    /// BATCH_STATUS_COMPLETED.
    public static let completed = BatchStatus(rawValue: 5)
    /// BATCH_STATUS_EXPIRED.
    public static let expired = BatchStatus(rawValue: 6)
    /// BATCH_STATUS_CANCELLING.
    public static let cancelling = BatchStatus(rawValue: 7)
    /// BATCH_STATUS_CANCELLED.
    public static let cancelled = BatchStatus(rawValue: 8)
}

/// `Batch` of backfill/v1/batches.proto.
public struct Batch: ProtoMessage {
    /// "batch_" and 32 hexadecimal digits.
    public var id: String
    /// The path every line of the input names, such as "/v1/chat/completions".
    public var endpoint: String
    /// The one model that all lines name; empty when they name several or the input is not validated yet.
    public var model: String
    /// `input_file_id` of the message.
    public var inputFileID: String
    /// As the client wrote it, such as "24h".
    public var completionWindow: String
    /// `status` of the message.
    public var status: BatchStatus
    /// Empty until the batch is terminal, and when there is nothing in the file.
    public var outputFileID: String
    /// `error_file_id` of the message.
    public var errorFileID: String
    /// Unix seconds. Each is set once and never moves.
    public var createdAt: Int64
    /// `expires_at` of the message.
    public var expiresAt: Int64
    /// `in_progress_at` of the message.
    public var inProgressAt: Int64?
    /// `finalizing_at` of the message.
    public var finalizingAt: Int64?
    /// `completed_at` of the message.
    public var completedAt: Int64?
    /// `failed_at` of the message.
    public var failedAt: Int64?
    /// `expired_at` of the message.
    public var expiredAt: Int64?
    /// `cancelling_at` of the message.
    public var cancellingAt: Int64?
    /// `cancelled_at` of the message.
    public var cancelledAt: Int64?
    /// `request_counts` of the message.
    public var requestCounts: RequestCounts?
    /// `usage` of the message.
    public var usage: Usage?
    /// At most 16 pairs; keys of at most 64, values of at most 512 characters.
    public var metadata: [String: String]
    /// What is wrong with the input file: at most 100, in line order.
    public var errors: [BatchError]
    /// How many more errors there are.
    public var errorsOmitted: UInt32
    /// Why nothing moves at the moment, for people; empty when nothing is amiss.
    public var waitingReason: String
    /// Unix seconds since when no line is sent, because the client wants so.
    public var pausedAt: Int64?
    /// Id of the batch whose failed lines these are; empty: none.
    public var retryOf: String
    /// As it was given; absent: not given.
    public var aibrix: AibrixExtension?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(id: String = "", endpoint: String = "", model: String = "", inputFileID: String = "", completionWindow: String = "", status: BatchStatus = BatchStatus(rawValue: 0), outputFileID: String = "", errorFileID: String = "", createdAt: Int64 = 0, expiresAt: Int64 = 0, inProgressAt: Int64? = nil, finalizingAt: Int64? = nil, completedAt: Int64? = nil, failedAt: Int64? = nil, expiredAt: Int64? = nil, cancellingAt: Int64? = nil, cancelledAt: Int64? = nil, requestCounts: RequestCounts? = nil, usage: Usage? = nil, metadata: [String: String] = [:], errors: [BatchError] = [], errorsOmitted: UInt32 = 0, waitingReason: String = "", pausedAt: Int64? = nil, retryOf: String = "", aibrix: AibrixExtension? = nil) {
        self.id = id
        self.endpoint = endpoint
        self.model = model
        self.inputFileID = inputFileID
        self.completionWindow = completionWindow
        self.status = status
        self.outputFileID = outputFileID
        self.errorFileID = errorFileID
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.inProgressAt = inProgressAt
        self.finalizingAt = finalizingAt
        self.completedAt = completedAt
        self.failedAt = failedAt
        self.expiredAt = expiredAt
        self.cancellingAt = cancellingAt
        self.cancelledAt = cancelledAt
        self.requestCounts = requestCounts
        self.usage = usage
        self.metadata = metadata
        self.errors = errors
        self.errorsOmitted = errorsOmitted
        self.waitingReason = waitingReason
        self.pausedAt = pausedAt
        self.retryOf = retryOf
        self.aibrix = aibrix
    }

    /// Makes the default message.
    public init() { self.init(id: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension Batch: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__Batch

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__batch__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.id = try lift.string(message.id)
        self.endpoint = try lift.string(message.endpoint)
        self.model = try lift.string(message.model)
        self.inputFileID = try lift.string(message.input_file_id)
        self.completionWindow = try lift.string(message.completion_window)
        self.status = BatchStatus(rawValue: Int32(bitPattern: message.status.rawValue))
        self.outputFileID = try lift.string(message.output_file_id)
        self.errorFileID = try lift.string(message.error_file_id)
        self.createdAt = message.created_at
        self.expiresAt = message.expires_at
        if message._in_progress_at_case.rawValue == 11 { self.inProgressAt = message.in_progress_at }
        if message._finalizing_at_case.rawValue == 12 { self.finalizingAt = message.finalizing_at }
        if message._completed_at_case.rawValue == 13 { self.completedAt = message.completed_at }
        if message._failed_at_case.rawValue == 14 { self.failedAt = message.failed_at }
        if message._expired_at_case.rawValue == 15 { self.expiredAt = message.expired_at }
        if message._cancelling_at_case.rawValue == 16 { self.cancellingAt = message.cancelling_at }
        if message._cancelled_at_case.rawValue == 17 { self.cancelledAt = message.cancelled_at }
        if let pointer = message.request_counts {
            self.requestCounts = try RequestCounts(lifting: pointer.pointee, with: lift.inner)
        }
        if let pointer = message.usage {
            self.usage = try Usage(lifting: pointer.pointee, with: lift.inner)
        }
        for index in 0..<message.n_metadata {
            guard let entry = message.metadata?[index] else { throw .malformed }
            self.metadata[try lift.string(entry.pointee.key)] = try lift.string(entry.pointee.value)
        }
        self.errors = try lift.messages(BatchError.self, message.n_errors, message.errors)
        self.errorsOmitted = message.errors_omitted
        self.waitingReason = try lift.string(message.waiting_reason)
        if message._paused_at_case.rawValue == 24 { self.pausedAt = message.paused_at }
        self.retryOf = try lift.string(message.retry_of)
        if let pointer = message.aibrix {
            self.aibrix = try AibrixExtension(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.id = try arena.string(self.id)
        message.endpoint = try arena.string(self.endpoint)
        message.model = try arena.string(self.model)
        message.input_file_id = try arena.string(self.inputFileID)
        message.completion_window = try arena.string(self.completionWindow)
        message.status = Backfill__V1__BatchStatus(rawValue: UInt32(bitPattern: self.status.rawValue))
        message.output_file_id = try arena.string(self.outputFileID)
        message.error_file_id = try arena.string(self.errorFileID)
        message.created_at = self.createdAt
        message.expires_at = self.expiresAt
        if let value = self.inProgressAt {
            message._in_progress_at_case = Backfill__V1__Batch__InProgressAtCase(rawValue: 11)
            message.in_progress_at = value
        }
        if let value = self.finalizingAt {
            message._finalizing_at_case = Backfill__V1__Batch__FinalizingAtCase(rawValue: 12)
            message.finalizing_at = value
        }
        if let value = self.completedAt {
            message._completed_at_case = Backfill__V1__Batch__CompletedAtCase(rawValue: 13)
            message.completed_at = value
        }
        if let value = self.failedAt {
            message._failed_at_case = Backfill__V1__Batch__FailedAtCase(rawValue: 14)
            message.failed_at = value
        }
        if let value = self.expiredAt {
            message._expired_at_case = Backfill__V1__Batch__ExpiredAtCase(rawValue: 15)
            message.expired_at = value
        }
        if let value = self.cancellingAt {
            message._cancelling_at_case = Backfill__V1__Batch__CancellingAtCase(rawValue: 16)
            message.cancelling_at = value
        }
        if let value = self.cancelledAt {
            message._cancelled_at_case = Backfill__V1__Batch__CancelledAtCase(rawValue: 17)
            message.cancelled_at = value
        }
        if let value = self.requestCounts { message.request_counts = try arena.message(value) }
        if let value = self.usage { message.usage = try arena.message(value) }
        let metadataEntries = self.metadata.sorted { $0.key < $1.key }
        message.n_metadata = metadataEntries.count
        message.metadata = try arena.array(metadataEntries) { pair throws(ProtoEncodingError) in
            let entry = try arena.allocate(Backfill__V1__Batch__MetadataEntry.self)
            backfill__v1__batch__metadata_entry__init(entry)
            entry.pointee.key = try arena.string(pair.key)
            entry.pointee.value = try arena.string(pair.value)
            return entry
        }
        message.n_errors = self.errors.count
        message.errors = try arena.array(self.errors) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
        message.errors_omitted = self.errorsOmitted
        message.waiting_reason = try arena.string(self.waitingReason)
        if let value = self.pausedAt {
            message._paused_at_case = Backfill__V1__Batch__PausedAtCase(rawValue: 24)
            message.paused_at = value
        }
        message.retry_of = try arena.string(self.retryOf)
        if let value = self.aibrix { message.aibrix = try arena.message(value) }
    }
}

/// What clients of AIBrix send beside a batch, as far as it can be done here.
public struct AibrixExtension: ProtoMessage {
    /// `shape` of the message.
    public var shape: AibrixShape
    /// The client's own name for the job; empty: none. Each text has at most 256 bytes.
    public var jobID: String
    /// What the client calls the model; empty: nothing.
    public var model: String
    /// Empty, or "External": engines that are there.
    public var runtimeTarget: String
    /// The client's own name for what it has reserved; empty: none.
    public var provisionID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(shape: AibrixShape = AibrixShape(rawValue: 0), jobID: String = "", model: String = "", runtimeTarget: String = "", provisionID: String = "") {
        self.shape = shape
        self.jobID = jobID
        self.model = model
        self.runtimeTarget = runtimeTarget
        self.provisionID = provisionID
    }

    /// Makes the default message.
    public init() { self.init(shape: AibrixShape(rawValue: 0)) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension AibrixExtension: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__AibrixExtension

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__aibrix_extension__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.shape = AibrixShape(rawValue: Int32(bitPattern: message.shape.rawValue))
        self.jobID = try lift.string(message.job_id)
        self.model = try lift.string(message.model)
        self.runtimeTarget = try lift.string(message.runtime_target)
        self.provisionID = try lift.string(message.provision_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.shape = Backfill__V1__AibrixShape(rawValue: UInt32(bitPattern: self.shape.rawValue))
        message.job_id = try arena.string(self.jobID)
        message.model = try arena.string(self.model)
        message.runtime_target = try arena.string(self.runtimeTarget)
        message.provision_id = try arena.string(self.provisionID)
    }
}

/// `RequestCounts` of backfill/v1/batches.proto.
public struct RequestCounts: ProtoMessage {
    /// `total` of the message.
    public var total: UInt64
    /// `completed` of the message.
    public var completed: UInt64
    /// `failed` of the message.
    public var failed: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(total: UInt64 = 0, completed: UInt64 = 0, failed: UInt64 = 0) {
        self.total = total
        self.completed = completed
        self.failed = failed
    }

    /// Makes the default message.
    public init() { self.init(total: 0) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension RequestCounts: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__RequestCounts

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__request_counts__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.total = message.total
        self.completed = message.completed
        self.failed = message.failed
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.total = self.total
        message.completed = self.completed
        message.failed = self.failed
    }
}

/// `Usage` of backfill/v1/batches.proto.
public struct Usage: ProtoMessage {
    /// `input_tokens` of the message.
    public var inputTokens: UInt64
    /// `cached_tokens` of the message.
    public var cachedTokens: UInt64
    /// `output_tokens` of the message.
    public var outputTokens: UInt64
    /// `reasoning_tokens` of the message.
    public var reasoningTokens: UInt64
    /// `total_tokens` of the message.
    public var totalTokens: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(inputTokens: UInt64 = 0, cachedTokens: UInt64 = 0, outputTokens: UInt64 = 0, reasoningTokens: UInt64 = 0, totalTokens: UInt64 = 0) {
        self.inputTokens = inputTokens
        self.cachedTokens = cachedTokens
        self.outputTokens = outputTokens
        self.reasoningTokens = reasoningTokens
        self.totalTokens = totalTokens
    }

    /// Makes the default message.
    public init() { self.init(inputTokens: 0) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension Usage: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__Usage

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__usage__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.inputTokens = message.input_tokens
        self.cachedTokens = message.cached_tokens
        self.outputTokens = message.output_tokens
        self.reasoningTokens = message.reasoning_tokens
        self.totalTokens = message.total_tokens
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.input_tokens = self.inputTokens
        message.cached_tokens = self.cachedTokens
        message.output_tokens = self.outputTokens
        message.reasoning_tokens = self.reasoningTokens
        message.total_tokens = self.totalTokens
    }
}

/// `BatchError` of backfill/v1/batches.proto.
public struct BatchError: ProtoMessage {
    /// Such as "invalid_json_line" or "duplicate_custom_id".
    public var code: String
    /// `message` of the message.
    public var message: String
    /// Empty when no single parameter is at fault.
    public var param: String
    /// 1-based line of the input file; absent when the whole file is at fault.
    public var line: UInt64?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(code: String = "", message: String = "", param: String = "", line: UInt64? = nil) {
        self.code = code
        self.message = message
        self.param = param
        self.line = line
    }

    /// Makes the default message.
    public init() { self.init(code: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension BatchError: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__BatchError

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__batch_error__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.code = try lift.string(message.code)
        self.message = try lift.string(message.message)
        self.param = try lift.string(message.param)
        if message._line_case.rawValue == 4 { self.line = message.line }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.code = try arena.string(self.code)
        message.message = try arena.string(self.message)
        message.param = try arena.string(self.param)
        if let value = self.line {
            message._line_case = Backfill__V1__BatchError__LineCase(rawValue: 4)
            message.line = value
        }
    }
}

/// `CreateBatchRequest` of backfill/v1/batches.proto.
public struct CreateBatchRequest: ProtoMessage {
    /// `input_file_id` of the message.
    public var inputFileID: String
    /// `endpoint` of the message.
    public var endpoint: String
    /// Number and unit, such as "24h", "90m" or "7d".
    public var completionWindow: String
    /// `metadata` of the message.
    public var metadata: [String: String]
    /// Life time of the output and error files from their creation, 3,600 to 2,592,000 seconds.
    public var outputExpiresAfterSeconds: UInt64?
    /// Instead of input_file_id: the lines themselves, at most 768 KiB. They become a file like an uploaded one.
    public var inlineInput: ByteBuffer
    /// `aibrix` of the message.
    public var aibrix: AibrixExtension?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(inputFileID: String = "", endpoint: String = "", completionWindow: String = "", metadata: [String: String] = [:], outputExpiresAfterSeconds: UInt64? = nil, inlineInput: ByteBuffer = ByteBuffer(), aibrix: AibrixExtension? = nil) {
        self.inputFileID = inputFileID
        self.endpoint = endpoint
        self.completionWindow = completionWindow
        self.metadata = metadata
        self.outputExpiresAfterSeconds = outputExpiresAfterSeconds
        self.inlineInput = inlineInput
        self.aibrix = aibrix
    }

    /// Makes the default message.
    public init() { self.init(inputFileID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension CreateBatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CreateBatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__create_batch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.inputFileID = try lift.string(message.input_file_id)
        self.endpoint = try lift.string(message.endpoint)
        self.completionWindow = try lift.string(message.completion_window)
        for index in 0..<message.n_metadata {
            guard let entry = message.metadata?[index] else { throw .malformed }
            self.metadata[try lift.string(entry.pointee.key)] = try lift.string(entry.pointee.value)
        }
        if message._output_expires_after_seconds_case.rawValue == 5 { self.outputExpiresAfterSeconds = message.output_expires_after_seconds }
        self.inlineInput = lift.bytes(message.inline_input, field: 6)
        if let pointer = message.aibrix {
            self.aibrix = try AibrixExtension(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.input_file_id = try arena.string(self.inputFileID)
        message.endpoint = try arena.string(self.endpoint)
        message.completion_window = try arena.string(self.completionWindow)
        let metadataEntries = self.metadata.sorted { $0.key < $1.key }
        message.n_metadata = metadataEntries.count
        message.metadata = try arena.array(metadataEntries) { pair throws(ProtoEncodingError) in
            let entry = try arena.allocate(Backfill__V1__CreateBatchRequest__MetadataEntry.self)
            backfill__v1__create_batch_request__metadata_entry__init(entry)
            entry.pointee.key = try arena.string(pair.key)
            entry.pointee.value = try arena.string(pair.value)
            return entry
        }
        if let value = self.outputExpiresAfterSeconds {
            message._output_expires_after_seconds_case = Backfill__V1__CreateBatchRequest__OutputExpiresAfterSecondsCase(rawValue: 5)
            message.output_expires_after_seconds = value
        }
        message.inline_input = try arena.bytes(self.inlineInput)
        if let value = self.aibrix { message.aibrix = try arena.message(value) }
    }
}

/// `CreateBatchResponse` of backfill/v1/batches.proto.
public struct CreateBatchResponse: ProtoMessage {
    /// `batch` of the message.
    public var batch: Batch?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batch: Batch? = nil) {
        self.batch = batch
    }

    /// Makes the default message.
    public init() { self.init(batch: nil) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension CreateBatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CreateBatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__create_batch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.batch {
            self.batch = try Batch(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.batch { message.batch = try arena.message(value) }
    }
}

/// `GetBatchRequest` of backfill/v1/batches.proto.
public struct GetBatchRequest: ProtoMessage {
    /// `batch_id` of the message.
    public var batchID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batchID: String = "") {
        self.batchID = batchID
    }

    /// Makes the default message.
    public init() { self.init(batchID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension GetBatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetBatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_batch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.batchID = try lift.string(message.batch_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.batch_id = try arena.string(self.batchID)
    }
}

/// `GetBatchResponse` of backfill/v1/batches.proto.
public struct GetBatchResponse: ProtoMessage {
    /// `batch` of the message.
    public var batch: Batch?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batch: Batch? = nil) {
        self.batch = batch
    }

    /// Makes the default message.
    public init() { self.init(batch: nil) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension GetBatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetBatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_batch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.batch {
            self.batch = try Batch(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.batch { message.batch = try arena.message(value) }
    }
}

/// `ListBatchesRequest` of backfill/v1/batches.proto.
public struct ListBatchesRequest: ProtoMessage {
    /// Page size wanted; the answer may be shorter, since pages are also bounded in bytes.
    public var limit: UInt32
    /// Id of the last batch of the page before; empty: from the newest.
    public var after: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(limit: UInt32 = 0, after: String = "") {
        self.limit = limit
        self.after = after
    }

    /// Makes the default message.
    public init() { self.init(limit: 0) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension ListBatchesRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListBatchesRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_batches_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.limit = message.limit
        self.after = try lift.string(message.after)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.limit = self.limit
        message.after = try arena.string(self.after)
    }
}

/// `ListBatchesResponse` of backfill/v1/batches.proto.
public struct ListBatchesResponse: ProtoMessage {
    /// Newest first.
    public var batches: [Batch]
    /// `has_more` of the message.
    public var hasMore: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batches: [Batch] = [], hasMore: Bool = false) {
        self.batches = batches
        self.hasMore = hasMore
    }

    /// Makes the default message.
    public init() { self.init(batches: []) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension ListBatchesResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListBatchesResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_batches_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.batches = try lift.messages(Batch.self, message.n_batches, message.batches)
        self.hasMore = message.has_more != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.n_batches = self.batches.count
        message.batches = try arena.array(self.batches) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
        message.has_more = self.hasMore ? 1 : 0
    }
}

/// `CancelBatchRequest` of backfill/v1/batches.proto.
public struct CancelBatchRequest: ProtoMessage {
    /// `batch_id` of the message.
    public var batchID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batchID: String = "") {
        self.batchID = batchID
    }

    /// Makes the default message.
    public init() { self.init(batchID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension CancelBatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CancelBatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__cancel_batch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.batchID = try lift.string(message.batch_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.batch_id = try arena.string(self.batchID)
    }
}

/// `CancelBatchResponse` of backfill/v1/batches.proto.
public struct CancelBatchResponse: ProtoMessage {
    /// `batch` of the message.
    public var batch: Batch?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batch: Batch? = nil) {
        self.batch = batch
    }

    /// Makes the default message.
    public init() { self.init(batch: nil) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension CancelBatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CancelBatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__cancel_batch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.batch {
            self.batch = try Batch(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.batch { message.batch = try arena.message(value) }
    }
}

/// `PauseBatchRequest` of backfill/v1/batches.proto.
public struct PauseBatchRequest: ProtoMessage {
    /// `batch_id` of the message.
    public var batchID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batchID: String = "") {
        self.batchID = batchID
    }

    /// Makes the default message.
    public init() { self.init(batchID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension PauseBatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__PauseBatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__pause_batch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.batchID = try lift.string(message.batch_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.batch_id = try arena.string(self.batchID)
    }
}

/// `PauseBatchResponse` of backfill/v1/batches.proto.
public struct PauseBatchResponse: ProtoMessage {
    /// `batch` of the message.
    public var batch: Batch?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batch: Batch? = nil) {
        self.batch = batch
    }

    /// Makes the default message.
    public init() { self.init(batch: nil) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension PauseBatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__PauseBatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__pause_batch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.batch {
            self.batch = try Batch(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.batch { message.batch = try arena.message(value) }
    }
}

/// `ResumeBatchRequest` of backfill/v1/batches.proto.
public struct ResumeBatchRequest: ProtoMessage {
    /// `batch_id` of the message.
    public var batchID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batchID: String = "") {
        self.batchID = batchID
    }

    /// Makes the default message.
    public init() { self.init(batchID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension ResumeBatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ResumeBatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__resume_batch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.batchID = try lift.string(message.batch_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.batch_id = try arena.string(self.batchID)
    }
}

/// `ResumeBatchResponse` of backfill/v1/batches.proto.
public struct ResumeBatchResponse: ProtoMessage {
    /// `batch` of the message.
    public var batch: Batch?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batch: Batch? = nil) {
        self.batch = batch
    }

    /// Makes the default message.
    public init() { self.init(batch: nil) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension ResumeBatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ResumeBatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__resume_batch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.batch {
            self.batch = try Batch(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.batch { message.batch = try arena.message(value) }
    }
}

/// `RetryBatchRequest` of backfill/v1/batches.proto.
public struct RetryBatchRequest: ProtoMessage {
    /// `batch_id` of the message.
    public var batchID: String
    /// As for CreateBatch; empty: the first batch's.
    public var completionWindow: String
    /// As for CreateBatch; empty: the first batch's.
    public var metadata: [String: String]

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batchID: String = "", completionWindow: String = "", metadata: [String: String] = [:]) {
        self.batchID = batchID
        self.completionWindow = completionWindow
        self.metadata = metadata
    }

    /// Makes the default message.
    public init() { self.init(batchID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension RetryBatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__RetryBatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__retry_batch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.batchID = try lift.string(message.batch_id)
        self.completionWindow = try lift.string(message.completion_window)
        for index in 0..<message.n_metadata {
            guard let entry = message.metadata?[index] else { throw .malformed }
            self.metadata[try lift.string(entry.pointee.key)] = try lift.string(entry.pointee.value)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.batch_id = try arena.string(self.batchID)
        message.completion_window = try arena.string(self.completionWindow)
        let metadataEntries = self.metadata.sorted { $0.key < $1.key }
        message.n_metadata = metadataEntries.count
        message.metadata = try arena.array(metadataEntries) { pair throws(ProtoEncodingError) in
            let entry = try arena.allocate(Backfill__V1__RetryBatchRequest__MetadataEntry.self)
            backfill__v1__retry_batch_request__metadata_entry__init(entry)
            entry.pointee.key = try arena.string(pair.key)
            entry.pointee.value = try arena.string(pair.value)
            return entry
        }
    }
}

/// `RetryBatchResponse` of backfill/v1/batches.proto.
public struct RetryBatchResponse: ProtoMessage {
    /// `batch` of the message.
    public var batch: Batch?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batch: Batch? = nil) {
        self.batch = batch
    }

    /// Makes the default message.
    public init() { self.init(batch: nil) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension RetryBatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__RetryBatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__retry_batch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.batch {
            self.batch = try Batch(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.batch { message.batch = try arena.message(value) }
    }
}

/// `DeleteBatchRequest` of backfill/v1/batches.proto.
public struct DeleteBatchRequest: ProtoMessage {
    /// `batch_id` of the message.
    public var batchID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batchID: String = "") {
        self.batchID = batchID
    }

    /// Makes the default message.
    public init() { self.init(batchID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension DeleteBatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__DeleteBatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__delete_batch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.batchID = try lift.string(message.batch_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.batch_id = try arena.string(self.batchID)
    }
}

/// `DeleteBatchResponse` of backfill/v1/batches.proto.
public struct DeleteBatchResponse: ProtoMessage {

    /// Makes a message; what is not given keeps its proto3 default.
    public init() {}

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension DeleteBatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__DeleteBatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__delete_batch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
    }
}

/// `ReadResultsRequest` of backfill/v1/batches.proto.
public struct ReadResultsRequest: ProtoMessage {
    /// `batch_id` of the message.
    public var batchID: String
    /// Where the answer before left off; 0 and 0 at the start.
    public var line: UInt64
    /// `offset` of the message.
    public var offset: UInt64
    /// At most 256 KiB are answered whatever is asked.
    public var maximumBytes: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(batchID: String = "", line: UInt64 = 0, offset: UInt64 = 0, maximumBytes: UInt32 = 0) {
        self.batchID = batchID
        self.line = line
        self.offset = offset
        self.maximumBytes = maximumBytes
    }

    /// Makes the default message.
    public init() { self.init(batchID: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension ReadResultsRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ReadResultsRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__read_results_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.batchID = try lift.string(message.batch_id)
        self.line = message.line
        self.offset = message.offset
        self.maximumBytes = message.maximum_bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.batch_id = try arena.string(self.batchID)
        message.line = self.line
        message.offset = self.offset
        message.maximum_bytes = self.maximumBytes
    }
}

/// `ReadResultsResponse` of backfill/v1/batches.proto.
public struct ReadResultsResponse: ProtoMessage {
    /// Whole lines, or a part of a long one.
    public var data: ByteBuffer
    /// Where to go on.
    public var nextLine: UInt64
    /// `next_offset` of the message.
    public var nextOffset: UInt64
    /// Nothing follows for now.
    public var isEnd: Bool
    /// The batch has ended: what it has is in its output and error files, and `data` is empty.
    public var hasEnded: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(data: ByteBuffer = ByteBuffer(), nextLine: UInt64 = 0, nextOffset: UInt64 = 0, isEnd: Bool = false, hasEnded: Bool = false) {
        self.data = data
        self.nextLine = nextLine
        self.nextOffset = nextOffset
        self.isEnd = isEnd
        self.hasEnded = hasEnded
    }

    /// Makes the default message.
    public init() { self.init(data: ByteBuffer()) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, in: buffer, limits: limits)
    }

    /// Calls `body` once with the message ready to be written.
    public func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, body)
    }
}

extension ReadResultsResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ReadResultsResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__read_results_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.data = lift.bytes(message.data, field: 1)
        self.nextLine = message.next_line
        self.nextOffset = message.next_offset
        self.isEnd = message.is_end != 0
        self.hasEnded = message.has_ended != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.data = try arena.bytes(self.data)
        message.next_line = self.nextLine
        message.next_offset = self.nextOffset
        message.is_end = self.isEnd ? 1 : 0
        message.has_ended = self.hasEnded ? 1 : 0
    }
}

/// The service `backfill.v1.Batches`.
public enum BatchesService {
    /// Full name on the wire.
    public static let name = "backfill.v1.Batches"
    /// Creates a batch. With the metadata key "idempotency-key" a repeated call answers the first call's batch.
    public static let createBatch = RPCMethod<CreateBatchRequest, CreateBatchResponse>(service: name, name: "CreateBatch", roles: [.gateway, .service])
    /// `backfill.v1.Batches/GetBatch`.
    public static let getBatch = RPCMethod<GetBatchRequest, GetBatchResponse>(service: name, name: "GetBatch", roles: [.gateway, .service], isIdempotent: true)
    /// `backfill.v1.Batches/ListBatches`.
    public static let listBatches = RPCMethod<ListBatchesRequest, ListBatchesResponse>(service: name, name: "ListBatches", roles: [.gateway, .service], isIdempotent: true)
    /// Starts a cancellation; asking again while it is under way is harmless.
    public static let cancelBatch = RPCMethod<CancelBatchRequest, CancelBatchResponse>(service: name, name: "CancelBatch", roles: [.gateway, .service])
    /// Sends no more lines until the batch is resumed; those at engines end. Its window goes on. Asking again is harmless.
    public static let pauseBatch = RPCMethod<PauseBatchRequest, PauseBatchResponse>(service: name, name: "PauseBatch", roles: [.gateway, .service])
    /// `backfill.v1.Batches/ResumeBatch`.
    public static let resumeBatch = RPCMethod<ResumeBatchRequest, ResumeBatchResponse>(service: name, name: "ResumeBatch", roles: [.gateway, .service])
    /// Creates a batch of the lines that failed in one that has ended. With the metadata key "idempotency-key" a repeated
    /// call answers the first call's batch.
    public static let retryBatch = RPCMethod<RetryBatchRequest, RetryBatchResponse>(service: name, name: "RetryBatch", roles: [.gateway, .service])
    /// Removes a batch that has ended; its files stay.
    public static let deleteBatch = RPCMethod<DeleteBatchRequest, DeleteBatchResponse>(service: name, name: "DeleteBatch", roles: [.gateway, .service])
    /// Reads lines of the output and error files that are there already while the batch runs, in input order.
    public static let readResults = RPCMethod<ReadResultsRequest, ReadResultsResponse>(service: name, name: "ReadResults", roles: [.gateway, .service], isIdempotent: true)
}

