// Generated from backfill/v1/uploads.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// `UploadStatus` of backfill/v1/uploads.proto.
public struct UploadStatus: RawRepresentable, Sendable, Hashable {
    /// Number on the wire; numbers without a name are kept as they came.
    public var rawValue: Int32
    /// Wraps a number.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// UPLOAD_STATUS_UNSPECIFIED.
    public static let unspecified = UploadStatus(rawValue: 0)
    /// UPLOAD_STATUS_PENDING.
    public static let pending = UploadStatus(rawValue: 1)
    /// UPLOAD_STATUS_COMPLETED.
    public static let completed = UploadStatus(rawValue: 2)
    /// UPLOAD_STATUS_CANCELLED.
    public static let cancelled = UploadStatus(rawValue: 3)
    /// UPLOAD_STATUS_EXPIRED.
    public static let expired = UploadStatus(rawValue: 4)
}

/// `MultipartUpload` of backfill/v1/uploads.proto.
public struct MultipartUpload: ProtoMessage {
    /// "upload_" and 32 hexadecimal digits.
    public var id: String
    /// Size of the file to be.
    public var bytes: UInt64
    /// Unix seconds.
    public var createdAt: Int64
    /// Unix seconds; from then on it takes no parts and is not completed.
    public var expiresAt: Int64
    /// As the client named it: data, never a path.
    public var filename: String
    /// assistants, batch, fine-tune, vision, user_data or evals.
    public var purpose: String
    /// `status` of the message.
    public var status: UploadStatus
    /// The file of a completed upload; absent when it was deleted meanwhile.
    public var file: File?
    /// Parts that it has, and their bytes together; parts that were sent twice count twice.
    public var parts: UInt32
    /// `received_bytes` of the message.
    public var receivedBytes: UInt64
    /// `mime_type` of the message.
    public var mimeType: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(id: String = "", bytes: UInt64 = 0, createdAt: Int64 = 0, expiresAt: Int64 = 0, filename: String = "", purpose: String = "", status: UploadStatus = UploadStatus(rawValue: 0), file: File? = nil, parts: UInt32 = 0, receivedBytes: UInt64 = 0, mimeType: String = "") {
        self.id = id
        self.bytes = bytes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.filename = filename
        self.purpose = purpose
        self.status = status
        self.file = file
        self.parts = parts
        self.receivedBytes = receivedBytes
        self.mimeType = mimeType
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

extension MultipartUpload: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__MultipartUpload

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__multipart_upload__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.id = try lift.string(message.id)
        self.bytes = message.bytes
        self.createdAt = message.created_at
        self.expiresAt = message.expires_at
        self.filename = try lift.string(message.filename)
        self.purpose = try lift.string(message.purpose)
        self.status = UploadStatus(rawValue: Int32(bitPattern: message.status.rawValue))
        if let pointer = message.file {
            self.file = try File(lifting: pointer.pointee, with: lift.inner)
        }
        self.parts = message.parts
        self.receivedBytes = message.received_bytes
        self.mimeType = try lift.string(message.mime_type)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.id = try arena.string(self.id)
        message.bytes = self.bytes
        message.created_at = self.createdAt
        message.expires_at = self.expiresAt
        message.filename = try arena.string(self.filename)
        message.purpose = try arena.string(self.purpose)
        message.status = Backfill__V1__UploadStatus(rawValue: UInt32(bitPattern: self.status.rawValue))
        if let value = self.file { message.file = try arena.message(value) }
        message.parts = self.parts
        message.received_bytes = self.receivedBytes
        message.mime_type = try arena.string(self.mimeType)
    }
}

/// `UploadPart` of backfill/v1/uploads.proto.
public struct UploadPart: ProtoMessage {
    /// "part_" and 32 hexadecimal digits.
    public var id: String
    /// `upload_id` of the message.
    public var uploadID: String
    /// Unix seconds.
    public var createdAt: Int64
    /// `bytes` of the message.
    public var bytes: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(id: String = "", uploadID: String = "", createdAt: Int64 = 0, bytes: UInt64 = 0) {
        self.id = id
        self.uploadID = uploadID
        self.createdAt = createdAt
        self.bytes = bytes
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

extension UploadPart: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__UploadPart

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__upload_part__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.id = try lift.string(message.id)
        self.uploadID = try lift.string(message.upload_id)
        self.createdAt = message.created_at
        self.bytes = message.bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.id = try arena.string(self.id)
        message.upload_id = try arena.string(self.uploadID)
        message.created_at = self.createdAt
        message.bytes = self.bytes
    }
}

/// `CreateUploadRequest` of backfill/v1/uploads.proto.
public struct CreateUploadRequest: ProtoMessage {
    /// `filename` of the message.
    public var filename: String
    /// `purpose` of the message.
    public var purpose: String
    /// Size of the whole file; 1 to 8 GiB, and at most what the purpose allows.
    public var bytes: UInt64
    /// As the client says; kept, not looked at.
    public var mimeType: String
    /// Life time of the file from its creation, 3,600 to 2,592,000 seconds; absent: the purpose's default (30 days for
    /// "batch").
    public var expiresAfterSeconds: UInt64?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(filename: String = "", purpose: String = "", bytes: UInt64 = 0, mimeType: String = "", expiresAfterSeconds: UInt64? = nil) {
        self.filename = filename
        self.purpose = purpose
        self.bytes = bytes
        self.mimeType = mimeType
        self.expiresAfterSeconds = expiresAfterSeconds
    }

    /// Makes the default message.
    public init() { self.init(filename: "") }

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

extension CreateUploadRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CreateUploadRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__create_upload_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.filename = try lift.string(message.filename)
        self.purpose = try lift.string(message.purpose)
        self.bytes = message.bytes
        self.mimeType = try lift.string(message.mime_type)
        if message._expires_after_seconds_case.rawValue == 5 { self.expiresAfterSeconds = message.expires_after_seconds }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.filename = try arena.string(self.filename)
        message.purpose = try arena.string(self.purpose)
        message.bytes = self.bytes
        message.mime_type = try arena.string(self.mimeType)
        if let value = self.expiresAfterSeconds {
            message._expires_after_seconds_case = Backfill__V1__CreateUploadRequest__ExpiresAfterSecondsCase(rawValue: 5)
            message.expires_after_seconds = value
        }
    }
}

/// `CreateUploadResponse` of backfill/v1/uploads.proto.
public struct CreateUploadResponse: ProtoMessage {
    /// `upload` of the message.
    public var upload: MultipartUpload?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(upload: MultipartUpload? = nil) {
        self.upload = upload
    }

    /// Makes the default message.
    public init() { self.init(upload: nil) }

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

extension CreateUploadResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CreateUploadResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__create_upload_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.upload {
            self.upload = try MultipartUpload(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.upload { message.upload = try arena.message(value) }
    }
}

/// `GetUploadRequest` of backfill/v1/uploads.proto.
public struct GetUploadRequest: ProtoMessage {
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

extension GetUploadRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetUploadRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_upload_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
    }
}

/// `GetUploadResponse` of backfill/v1/uploads.proto.
public struct GetUploadResponse: ProtoMessage {
    /// `upload` of the message.
    public var upload: MultipartUpload?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(upload: MultipartUpload? = nil) {
        self.upload = upload
    }

    /// Makes the default message.
    public init() { self.init(upload: nil) }

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

extension GetUploadResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetUploadResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_upload_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.upload {
            self.upload = try MultipartUpload(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.upload { message.upload = try arena.message(value) }
    }
}

/// `ListPartsRequest` of backfill/v1/uploads.proto.
public struct ListPartsRequest: ProtoMessage {
    /// `upload_id` of the message.
    public var uploadID: String
    /// Page size wanted; the answer may be shorter, since pages are also bounded in bytes.
    public var limit: UInt32
    /// Id of the last part of the page before; empty: from the start.
    public var after: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(uploadID: String = "", limit: UInt32 = 0, after: String = "") {
        self.uploadID = uploadID
        self.limit = limit
        self.after = after
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

extension ListPartsRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListPartsRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_parts_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
        self.limit = message.limit
        self.after = try lift.string(message.after)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
        message.limit = self.limit
        message.after = try arena.string(self.after)
    }
}

/// `ListPartsResponse` of backfill/v1/uploads.proto.
public struct ListPartsResponse: ProtoMessage {
    /// `parts` of the message.
    public var parts: [UploadPart]
    /// `has_more` of the message.
    public var hasMore: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(parts: [UploadPart] = [], hasMore: Bool = false) {
        self.parts = parts
        self.hasMore = hasMore
    }

    /// Makes the default message.
    public init() { self.init(parts: []) }

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

extension ListPartsResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListPartsResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_parts_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.parts = try lift.messages(UploadPart.self, message.n_parts, message.parts)
        self.hasMore = message.has_more != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.n_parts = self.parts.count
        message.parts = try arena.array(self.parts) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
        message.has_more = self.hasMore ? 1 : 0
    }
}

/// `BeginPartRequest` of backfill/v1/uploads.proto.
public struct BeginPartRequest: ProtoMessage {
    /// `upload_id` of the message.
    public var uploadID: String
    /// Size when known; lets the scheduler refuse a part that is too large before its bytes arrive.
    public var expectedBytes: UInt64?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(uploadID: String = "", expectedBytes: UInt64? = nil) {
        self.uploadID = uploadID
        self.expectedBytes = expectedBytes
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

extension BeginPartRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__BeginPartRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__begin_part_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
        if message._expected_bytes_case.rawValue == 2 { self.expectedBytes = message.expected_bytes }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
        if let value = self.expectedBytes {
            message._expected_bytes_case = Backfill__V1__BeginPartRequest__ExpectedBytesCase(rawValue: 2)
            message.expected_bytes = value
        }
    }
}

/// `BeginPartResponse` of backfill/v1/uploads.proto.
public struct BeginPartResponse: ProtoMessage {
    /// `part_id` of the message.
    public var partID: String
    /// Largest chunk accepted by Files.WriteChunk, in bytes.
    public var maximumChunkBytes: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(partID: String = "", maximumChunkBytes: UInt32 = 0) {
        self.partID = partID
        self.maximumChunkBytes = maximumChunkBytes
    }

    /// Makes the default message.
    public init() { self.init(partID: "") }

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

extension BeginPartResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__BeginPartResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__begin_part_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.partID = try lift.string(message.part_id)
        self.maximumChunkBytes = message.maximum_chunk_bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.part_id = try arena.string(self.partID)
        message.maximum_chunk_bytes = self.maximumChunkBytes
    }
}

/// `CompletePartRequest` of backfill/v1/uploads.proto.
public struct CompletePartRequest: ProtoMessage {
    /// `part_id` of the message.
    public var partID: String
    /// Size of the part; refused when it is not what was staged.
    public var bytes: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(partID: String = "", bytes: UInt64 = 0) {
        self.partID = partID
        self.bytes = bytes
    }

    /// Makes the default message.
    public init() { self.init(partID: "") }

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

extension CompletePartRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CompletePartRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__complete_part_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.partID = try lift.string(message.part_id)
        self.bytes = message.bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.part_id = try arena.string(self.partID)
        message.bytes = self.bytes
    }
}

/// `CompletePartResponse` of backfill/v1/uploads.proto.
public struct CompletePartResponse: ProtoMessage {
    /// `part` of the message.
    public var part: UploadPart?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(part: UploadPart? = nil) {
        self.part = part
    }

    /// Makes the default message.
    public init() { self.init(part: nil) }

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

extension CompletePartResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CompletePartResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__complete_part_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.part {
            self.part = try UploadPart(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.part { message.part = try arena.message(value) }
    }
}

/// `ComposeUploadRequest` of backfill/v1/uploads.proto.
public struct ComposeUploadRequest: ProtoMessage {
    /// `upload_id` of the message.
    public var uploadID: String
    /// In the order in which their bytes make the file; each once.
    public var partIds: [String]
    /// 32 hexadecimal digits of the whole file's MD5; empty: not checked.
    public var md5: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(uploadID: String = "", partIds: [String] = [], md5: String = "") {
        self.uploadID = uploadID
        self.partIds = partIds
        self.md5 = md5
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

extension ComposeUploadRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ComposeUploadRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__compose_upload_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.uploadID = try lift.string(message.upload_id)
        for index in 0..<message.n_part_ids {
            guard let element = message.part_ids?[index] else { throw .malformed }
            self.partIds.append(try lift.string(element))
        }
        self.md5 = try lift.string(message.md5)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
        message.n_part_ids = self.partIds.count
        message.part_ids = try arena.array(self.partIds) { element throws(ProtoEncodingError) in
            try arena.string(element)
        }
        message.md5 = try arena.string(self.md5)
    }
}

/// `ComposeUploadResponse` of backfill/v1/uploads.proto.
public struct ComposeUploadResponse: ProtoMessage {
    /// `upload` of the message.
    public var upload: MultipartUpload?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(upload: MultipartUpload? = nil) {
        self.upload = upload
    }

    /// Makes the default message.
    public init() { self.init(upload: nil) }

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

extension ComposeUploadResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ComposeUploadResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__compose_upload_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.upload {
            self.upload = try MultipartUpload(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.upload { message.upload = try arena.message(value) }
    }
}

/// `CancelUploadRequest` of backfill/v1/uploads.proto.
public struct CancelUploadRequest: ProtoMessage {
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

extension CancelUploadRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CancelUploadRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__cancel_upload_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.uploadID = try lift.string(message.upload_id)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.upload_id = try arena.string(self.uploadID)
    }
}

/// `CancelUploadResponse` of backfill/v1/uploads.proto.
public struct CancelUploadResponse: ProtoMessage {
    /// `upload` of the message.
    public var upload: MultipartUpload?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(upload: MultipartUpload? = nil) {
        self.upload = upload
    }

    /// Makes the default message.
    public init() { self.init(upload: nil) }

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

extension CancelUploadResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__CancelUploadResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__cancel_upload_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.upload {
            self.upload = try MultipartUpload(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.upload { message.upload = try arena.message(value) }
    }
}

/// The service `backfill.v1.Uploads`.
public enum UploadsService {
    /// Full name on the wire.
    public static let name = "backfill.v1.Uploads"
    /// Begins an upload in parts.
    public static let createUpload = RPCMethod<CreateUploadRequest, CreateUploadResponse>(service: name, name: "CreateUpload", roles: [.gateway, .service])
    /// Says how an upload stands. It is remembered for a day after its end.
    public static let getUpload = RPCMethod<GetUploadRequest, GetUploadResponse>(service: name, name: "GetUpload", roles: [.gateway, .service], isIdempotent: true)
    /// The parts that a pending upload has, oldest first.
    public static let listParts = RPCMethod<ListPartsRequest, ListPartsResponse>(service: name, name: "ListParts", roles: [.gateway, .service], isIdempotent: true)
    /// Opens a part. Its staged bytes vanish after an hour without a call.
    public static let beginPart = RPCMethod<BeginPartRequest, BeginPartResponse>(service: name, name: "BeginPart", roles: [.gateway, .service])
    /// Makes the staged bytes a part of the upload, durably, before it answers.
    public static let completePart = RPCMethod<CompletePartRequest, CompletePartResponse>(service: name, name: "CompletePart", roles: [.gateway, .service])
    /// Composes parts into a file, durably, before it answers. Calling again with the same parts gives the same file, also
    /// after a timeout: composing goes on without the caller.
    public static let composeUpload = RPCMethod<ComposeUploadRequest, ComposeUploadResponse>(service: name, name: "ComposeUpload", roles: [.gateway, .service], isIdempotent: true)
    /// Ends an upload without a file; its parts are removed. Calling again is harmless.
    public static let cancelUpload = RPCMethod<CancelUploadRequest, CancelUploadResponse>(service: name, name: "CancelUpload", roles: [.gateway, .service], isIdempotent: true)
}

