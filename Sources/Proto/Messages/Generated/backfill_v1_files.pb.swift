// Generated from backfill/v1/files.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// `FileStatus` of backfill/v1/files.proto.
public struct FileStatus: RawRepresentable, Sendable, Hashable {
    /// Number on the wire; numbers without a name are kept as they came.
    public var rawValue: Int32
    /// Wraps a number.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// FILE_STATUS_UNSPECIFIED.
    public static let unspecified = FileStatus(rawValue: 0)
    /// FILE_STATUS_UPLOADED.
    public static let uploaded = FileStatus(rawValue: 1)
    /// FILE_STATUS_PROCESSED.
    public static let processed = FileStatus(rawValue: 2)
    /// FILE_STATUS_ERROR.
    public static let error = FileStatus(rawValue: 3)
}

/// `File` of backfill/v1/files.proto.
public struct File: ProtoMessage {
    /// "file-" and 32 hexadecimal digits.
    public var id: String
    /// `bytes` of the message.
    public var bytes: UInt64
    /// Unix seconds.
    public var createdAt: Int64
    /// Unix seconds; absent: kept until deleted.
    public var expiresAt: Int64?
    /// As the client named it: data, never a path.
    public var filename: String
    /// assistants, batch, batch_output, fine-tune, vision, user_data or evals.
    public var purpose: String
    /// `status` of the message.
    public var status: FileStatus
    /// Why `status` is an error, for people.
    public var statusDetails: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(id: String = "", bytes: UInt64 = 0, createdAt: Int64 = 0, expiresAt: Int64? = nil, filename: String = "", purpose: String = "", status: FileStatus = FileStatus(rawValue: 0), statusDetails: String = "") {
        self.id = id
        self.bytes = bytes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.filename = filename
        self.purpose = purpose
        self.status = status
        self.statusDetails = statusDetails
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

extension File: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__File

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__file__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.id = try lift.string(message.id)
        self.bytes = message.bytes
        self.createdAt = message.created_at
        if message._expires_at_case.rawValue == 4 { self.expiresAt = message.expires_at }
        self.filename = try lift.string(message.filename)
        self.purpose = try lift.string(message.purpose)
        self.status = FileStatus(rawValue: Int32(bitPattern: message.status.rawValue))
        self.statusDetails = try lift.string(message.status_details)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.id = try arena.string(self.id)
        message.bytes = self.bytes
        message.created_at = self.createdAt
        if let value = self.expiresAt {
            message._expires_at_case = Backfill__V1__File__ExpiresAtCase(rawValue: 4)
            message.expires_at = value
        }
        message.filename = try arena.string(self.filename)
        message.purpose = try arena.string(self.purpose)
        message.status = Backfill__V1__FileStatus(rawValue: UInt32(bitPattern: self.status.rawValue))
        message.status_details = try arena.string(self.statusDetails)
    }
}

/// `BeginUploadRequest` of backfill/v1/files.proto.
public struct BeginUploadRequest: ProtoMessage {
    /// What the file is for, when the client has said so already; empty when it is still to come.
    public var purpose: String
    /// Total size when known; lets the scheduler refuse a file that is too large before its bytes arrive.
    public var expectedBytes: UInt64?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(purpose: String = "", expectedBytes: UInt64? = nil) {
        self.purpose = purpose
        self.expectedBytes = expectedBytes
    }

    /// Makes the default message.
    public init() { self.init(purpose: "") }

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

extension BeginUploadRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__BeginUploadRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__begin_upload_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.purpose = try lift.string(message.purpose)
        if message._expected_bytes_case.rawValue == 2 { self.expectedBytes = message.expected_bytes }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.purpose = try arena.string(self.purpose)
        if let value = self.expectedBytes {
            message._expected_bytes_case = Backfill__V1__BeginUploadRequest__ExpectedBytesCase(rawValue: 2)
            message.expected_bytes = value
        }
    }
}

/// `BeginUploadResponse` of backfill/v1/files.proto.
public struct BeginUploadResponse: ProtoMessage {
    /// `upload_id` of the message.
    public var uploadID: String
    /// Largest chunk accepted by WriteChunk, in bytes.
    public var maximumChunkBytes: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(uploadID: String = "", maximumChunkBytes: UInt32 = 0) {
        self.uploadID = uploadID
        self.maximumChunkBytes = maximumChunkBytes
    }

    /// Makes the default message.
    public init() { self.init(uploadID: "") }

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

extension BeginUploadResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__BeginUploadResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__begin_upload_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
        self.maximumChunkBytes = message.maximum_chunk_bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
        message.maximum_chunk_bytes = self.maximumChunkBytes
    }
}

/// `WriteChunkRequest` of backfill/v1/files.proto.
public struct WriteChunkRequest: ProtoMessage {
    /// `upload_id` of the message.
    public var uploadID: String
    /// Position of the first byte of `data` in the file.
    public var offset: UInt64
    /// At most maximum_chunk_bytes.
    public var data: ByteBuffer
    /// CRC-32C of `data`.
    public var crc32c: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(uploadID: String = "", offset: UInt64 = 0, data: ByteBuffer = ByteBuffer(), crc32c: UInt32 = 0) {
        self.uploadID = uploadID
        self.offset = offset
        self.data = data
        self.crc32c = crc32c
    }

    /// Makes the default message.
    public init() { self.init(uploadID: "") }

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

extension WriteChunkRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__WriteChunkRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__write_chunk_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
        self.offset = message.offset
        self.data = lift.bytes(message.data, field: 3)
        self.crc32c = message.crc32c
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
        message.offset = self.offset
        message.data = try arena.bytes(self.data)
        message.crc32c = self.crc32c
    }
}

/// `WriteChunkResponse` of backfill/v1/files.proto.
public struct WriteChunkResponse: ProtoMessage {
    /// Bytes staged so far, the point from which to resume.
    public var stagedBytes: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(stagedBytes: UInt64 = 0) {
        self.stagedBytes = stagedBytes
    }

    /// Makes the default message.
    public init() { self.init(stagedBytes: 0) }

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

extension WriteChunkResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__WriteChunkResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__write_chunk_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.stagedBytes = message.staged_bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.staged_bytes = self.stagedBytes
    }
}

/// `CompleteUploadRequest` of backfill/v1/files.proto.
public struct CompleteUploadRequest: ProtoMessage {
    /// `upload_id` of the message.
    public var uploadID: String
    /// `filename` of the message.
    public var filename: String
    /// `purpose` of the message.
    public var purpose: String
    /// Total size; refused when it is not what was staged.
    public var bytes: UInt64
    /// Life time from now, 3,600 to 2,592,000 seconds; absent: the purpose's default (30 days for "batch").
    public var expiresAfterSeconds: UInt64?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(uploadID: String = "", filename: String = "", purpose: String = "", bytes: UInt64 = 0, expiresAfterSeconds: UInt64? = nil) {
        self.uploadID = uploadID
        self.filename = filename
        self.purpose = purpose
        self.bytes = bytes
        self.expiresAfterSeconds = expiresAfterSeconds
    }

    /// Makes the default message.
    public init() { self.init(uploadID: "") }

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

extension CompleteUploadRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CompleteUploadRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__complete_upload_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
        self.filename = try lift.string(message.filename)
        self.purpose = try lift.string(message.purpose)
        self.bytes = message.bytes
        if message._expires_after_seconds_case.rawValue == 5 { self.expiresAfterSeconds = message.expires_after_seconds }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
        message.filename = try arena.string(self.filename)
        message.purpose = try arena.string(self.purpose)
        message.bytes = self.bytes
        if let value = self.expiresAfterSeconds {
            message._expires_after_seconds_case = Backfill__V1__CompleteUploadRequest__ExpiresAfterSecondsCase(rawValue: 5)
            message.expires_after_seconds = value
        }
    }
}

/// `CompleteUploadResponse` of backfill/v1/files.proto.
public struct CompleteUploadResponse: ProtoMessage {
    /// `file` of the message.
    public var file: File?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(file: File? = nil) {
        self.file = file
    }

    /// Makes the default message.
    public init() { self.init(file: nil) }

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

extension CompleteUploadResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CompleteUploadResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__complete_upload_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.file {
            self.file = try File(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.file { message.file = try arena.message(value) }
    }
}

/// `AbortUploadRequest` of backfill/v1/files.proto.
public struct AbortUploadRequest: ProtoMessage {
    /// `upload_id` of the message.
    public var uploadID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(uploadID: String = "") {
        self.uploadID = uploadID
    }

    /// Makes the default message.
    public init() { self.init(uploadID: "") }

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

extension AbortUploadRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__AbortUploadRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__abort_upload_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
    }
}

/// `AbortUploadResponse` of backfill/v1/files.proto.
public struct AbortUploadResponse: ProtoMessage {

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

extension AbortUploadResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__AbortUploadResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__abort_upload_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
    }
}

/// `GetFileRequest` of backfill/v1/files.proto.
public struct GetFileRequest: ProtoMessage {
    /// `file_id` of the message.
    public var fileID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(fileID: String = "") {
        self.fileID = fileID
    }

    /// Makes the default message.
    public init() { self.init(fileID: "") }

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

extension GetFileRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetFileRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_file_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.fileID = try lift.string(message.file_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.file_id = try arena.string(self.fileID)
    }
}

/// `GetFileResponse` of backfill/v1/files.proto.
public struct GetFileResponse: ProtoMessage {
    /// `file` of the message.
    public var file: File?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(file: File? = nil) {
        self.file = file
    }

    /// Makes the default message.
    public init() { self.init(file: nil) }

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

extension GetFileResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetFileResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_file_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.file {
            self.file = try File(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.file { message.file = try arena.message(value) }
    }
}

/// `ListFilesRequest` of backfill/v1/files.proto.
public struct ListFilesRequest: ProtoMessage {
    /// Only files of this purpose; empty: all.
    public var purpose: String
    /// Page size wanted; the answer may be shorter, since pages are also bounded in bytes.
    public var limit: UInt32
    /// Id of the last file of the page before; empty: from the start.
    public var after: String
    /// Oldest first; otherwise newest first.
    public var ascending: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(purpose: String = "", limit: UInt32 = 0, after: String = "", ascending: Bool = false) {
        self.purpose = purpose
        self.limit = limit
        self.after = after
        self.ascending = ascending
    }

    /// Makes the default message.
    public init() { self.init(purpose: "") }

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

extension ListFilesRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListFilesRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_files_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.purpose = try lift.string(message.purpose)
        self.limit = message.limit
        self.after = try lift.string(message.after)
        self.ascending = message.ascending != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.purpose = try arena.string(self.purpose)
        message.limit = self.limit
        message.after = try arena.string(self.after)
        message.ascending = self.ascending ? 1 : 0
    }
}

/// `ListFilesResponse` of backfill/v1/files.proto.
public struct ListFilesResponse: ProtoMessage {
    /// `files` of the message.
    public var files: [File]
    /// `has_more` of the message.
    public var hasMore: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(files: [File] = [], hasMore: Bool = false) {
        self.files = files
        self.hasMore = hasMore
    }

    /// Makes the default message.
    public init() { self.init(files: []) }

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

extension ListFilesResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListFilesResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_files_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.files = try lift.messages(File.self, message.n_files, message.files)
        self.hasMore = message.has_more != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.n_files = self.files.count
        message.files = try arena.array(self.files) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
        message.has_more = self.hasMore ? 1 : 0
    }
}

/// `DeleteFileRequest` of backfill/v1/files.proto.
public struct DeleteFileRequest: ProtoMessage {
    /// `file_id` of the message.
    public var fileID: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(fileID: String = "") {
        self.fileID = fileID
    }

    /// Makes the default message.
    public init() { self.init(fileID: "") }

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

extension DeleteFileRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__DeleteFileRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__delete_file_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.fileID = try lift.string(message.file_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.file_id = try arena.string(self.fileID)
    }
}

/// `DeleteFileResponse` of backfill/v1/files.proto.
public struct DeleteFileResponse: ProtoMessage {

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

extension DeleteFileResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__DeleteFileResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__delete_file_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
    }
}

/// `ReadFileRequest` of backfill/v1/files.proto.
public struct ReadFileRequest: ProtoMessage {
    /// `file_id` of the message.
    public var fileID: String
    /// `offset` of the message.
    public var offset: UInt64
    /// At most 256 KiB are answered whatever is asked.
    public var maximumBytes: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(fileID: String = "", offset: UInt64 = 0, maximumBytes: UInt32 = 0) {
        self.fileID = fileID
        self.offset = offset
        self.maximumBytes = maximumBytes
    }

    /// Makes the default message.
    public init() { self.init(fileID: "") }

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

extension ReadFileRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ReadFileRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__read_file_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.fileID = try lift.string(message.file_id)
        self.offset = message.offset
        self.maximumBytes = message.maximum_bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.file_id = try arena.string(self.fileID)
        message.offset = self.offset
        message.maximum_bytes = self.maximumBytes
    }
}

/// `ReadFileResponse` of backfill/v1/files.proto.
public struct ReadFileResponse: ProtoMessage {
    /// Empty at and after the end of the file.
    public var data: ByteBuffer
    /// Size of the whole file.
    public var fileBytes: UInt64
    /// CRC-32C of `data`; a reader that finds another one asks again.
    public var crc32c: UInt32?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(data: ByteBuffer = ByteBuffer(), fileBytes: UInt64 = 0, crc32c: UInt32? = nil) {
        self.data = data
        self.fileBytes = fileBytes
        self.crc32c = crc32c
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

extension ReadFileResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ReadFileResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__read_file_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.data = lift.bytes(message.data, field: 1)
        self.fileBytes = message.file_bytes
        if message._crc32c_case.rawValue == 3 { self.crc32c = message.crc32c }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.data = try arena.bytes(self.data)
        message.file_bytes = self.fileBytes
        if let value = self.crc32c {
            message._crc32c_case = Backfill__V1__ReadFileResponse__Crc32cCase(rawValue: 3)
            message.crc32c = value
        }
    }
}

/// The service `backfill.v1.Files`.
public enum FilesService {
    /// Full name on the wire.
    public static let name = "backfill.v1.Files"
    /// Opens an upload. Its staged bytes vanish after an hour without a call.
    public static let beginUpload = RPCMethod<BeginUploadRequest, BeginUploadResponse>(service: name, name: "BeginUpload", roles: [.gateway, .service])
    /// Adds bytes. Chunks are applied in offset order; several may be in flight. Sending a chunk again is harmless.
    public static let writeChunk = RPCMethod<WriteChunkRequest, WriteChunkResponse>(service: name, name: "WriteChunk", roles: [.gateway, .service], isIdempotent: true)
    /// Makes the staged bytes a file, durably, before it answers.
    public static let completeUpload = RPCMethod<CompleteUploadRequest, CompleteUploadResponse>(service: name, name: "CompleteUpload", roles: [.gateway, .service])
    /// Throws the staged bytes away. An unknown upload is not an error.
    public static let abortUpload = RPCMethod<AbortUploadRequest, AbortUploadResponse>(service: name, name: "AbortUpload", roles: [.gateway, .service], isIdempotent: true)
    /// `backfill.v1.Files/GetFile`.
    public static let getFile = RPCMethod<GetFileRequest, GetFileResponse>(service: name, name: "GetFile", roles: [.gateway, .service], isIdempotent: true)
    /// `backfill.v1.Files/ListFiles`.
    public static let listFiles = RPCMethod<ListFilesRequest, ListFilesResponse>(service: name, name: "ListFiles", roles: [.gateway, .service], isIdempotent: true)
    /// Removes the file from the tenant's view at once; a batch that uses it keeps its bytes until it ends.
    public static let deleteFile = RPCMethod<DeleteFileRequest, DeleteFileResponse>(service: name, name: "DeleteFile", roles: [.gateway, .service])
    /// Reads a range of a file.
    public static let readFile = RPCMethod<ReadFileRequest, ReadFileResponse>(service: name, name: "ReadFile", roles: [.gateway, .service], isIdempotent: true)
}

