// Generated from backfill/v1/inference.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// Who goes first: online at once, flex before batch, batch in what is left.
public struct RequestClass: RawRepresentable, Sendable, Hashable {
    /// Number on the wire; numbers without a name are kept as they came.
    public var rawValue: Int32
    /// Wraps a number.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// REQUEST_CLASS_UNSPECIFIED.
    public static let unspecified = RequestClass(rawValue: 0)
    /// REQUEST_CLASS_ONLINE.
    public static let online = RequestClass(rawValue: 1)
    /// REQUEST_CLASS_FLEX.
    public static let flex = RequestClass(rawValue: 2)
    /// REQUEST_CLASS_BATCH.
    public static let batch = RequestClass(rawValue: 3)
}

/// `InferHead` of backfill/v1/inference.proto.
public struct InferHead: ProtoMessage {
    /// `request_class` of the message.
    public var requestClass: RequestClass
    /// Name of the model as the engines serve it.
    public var model: String
    /// Path at the engine, such as "/v1/chat/completions".
    public var path: String
    /// Size of the body that follows.
    public var contentBytes: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(requestClass: RequestClass = RequestClass(rawValue: 0), model: String = "", path: String = "", contentBytes: UInt64 = 0) {
        self.requestClass = requestClass
        self.model = model
        self.path = path
        self.contentBytes = contentBytes
    }

    /// Makes the default message.
    public init() { self.init(requestClass: RequestClass(rawValue: 0)) }

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

extension InferHead: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__InferHead

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__infer_head__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.requestClass = RequestClass(rawValue: Int32(bitPattern: message.request_class.rawValue))
        self.model = try lift.string(message.model)
        self.path = try lift.string(message.path)
        self.contentBytes = message.content_bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.request_class = Backfill__V1__RequestClass(rawValue: UInt32(bitPattern: self.requestClass.rawValue))
        message.model = try arena.string(self.model)
        message.path = try arena.string(self.path)
        message.content_bytes = self.contentBytes
    }
}

/// `InferRequest` of backfill/v1/inference.proto.
public struct InferRequest: ProtoMessage {
    /// Which of the alternatives of `part` is set; nil: none.
    public var part: Part?

    /// The alternatives of `part`.
    public enum Part: Sendable, Equatable {
        /// First, once.
        case head(InferHead)
        /// The body, in order; sequence numbers start at 0.
        case chunk(InferChunk)
        /// Lets the peer send more.
        case credit(Credit)
    }

    /// Makes a message; what is not given keeps its proto3 default.
    public init(part: Part? = nil) {
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

extension InferRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__InferRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__infer_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        switch message.part_case.rawValue {
        case 1: self.part = .head(try lift.message(InferHead.self, message.head))
        case 2: self.part = .chunk(try lift.message(InferChunk.self, message.chunk))
        case 3: self.part = .credit(try lift.message(Credit.self, message.credit))
        default: break
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        switch self.part {
        case .head(let value):
            message.part_case = Backfill__V1__InferRequest__PartCase(rawValue: 1)
            message.head = try arena.message(value)
        case .chunk(let value):
            message.part_case = Backfill__V1__InferRequest__PartCase(rawValue: 2)
            message.chunk = try arena.message(value)
        case .credit(let value):
            message.part_case = Backfill__V1__InferRequest__PartCase(rawValue: 3)
            message.credit = try arena.message(value)
        case nil: break
        }
    }
}

/// `InferResponse` of backfill/v1/inference.proto.
public struct InferResponse: ProtoMessage {
    /// Which of the alternatives of `part` is set; nil: none.
    public var part: Part?

    /// The alternatives of `part`.
    public enum Part: Sendable, Equatable {
        /// First, once.
        case head(InferAnswerHead)
        /// `chunk`.
        case chunk(InferChunk)
        /// `credit`.
        case credit(Credit)
    }

    /// Makes a message; what is not given keeps its proto3 default.
    public init(part: Part? = nil) {
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

extension InferResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__InferResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__infer_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        switch message.part_case.rawValue {
        case 1: self.part = .head(try lift.message(InferAnswerHead.self, message.head))
        case 2: self.part = .chunk(try lift.message(InferChunk.self, message.chunk))
        case 3: self.part = .credit(try lift.message(Credit.self, message.credit))
        default: break
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        switch self.part {
        case .head(let value):
            message.part_case = Backfill__V1__InferResponse__PartCase(rawValue: 1)
            message.head = try arena.message(value)
        case .chunk(let value):
            message.part_case = Backfill__V1__InferResponse__PartCase(rawValue: 2)
            message.chunk = try arena.message(value)
        case .credit(let value):
            message.part_case = Backfill__V1__InferResponse__PartCase(rawValue: 3)
            message.credit = try arena.message(value)
        case nil: break
        }
    }
}

/// `InferAnswerHead` of backfill/v1/inference.proto.
public struct InferAnswerHead: ProtoMessage {
    /// HTTP status of the engine.
    public var status: UInt32
    /// `content_type` of the message.
    public var contentType: String
    /// How long the engine asks to wait before another try (Retry-After); absent: it does not say.
    public var retryAfterMilliseconds: UInt32?
    /// Size of the body that follows; absent: it is known at its end only.
    public var contentBytes: UInt64?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(status: UInt32 = 0, contentType: String = "", retryAfterMilliseconds: UInt32? = nil, contentBytes: UInt64? = nil) {
        self.status = status
        self.contentType = contentType
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.contentBytes = contentBytes
    }

    /// Makes the default message.
    public init() { self.init(status: 0) }

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

extension InferAnswerHead: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__InferAnswerHead

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__infer_answer_head__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.status = message.status
        self.contentType = try lift.string(message.content_type)
        if message._retry_after_milliseconds_case.rawValue == 3 { self.retryAfterMilliseconds = message.retry_after_milliseconds }
        if message._content_bytes_case.rawValue == 4 { self.contentBytes = message.content_bytes }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.status = self.status
        message.content_type = try arena.string(self.contentType)
        if let value = self.retryAfterMilliseconds {
            message._retry_after_milliseconds_case = Backfill__V1__InferAnswerHead__RetryAfterMillisecondsCase(rawValue: 3)
            message.retry_after_milliseconds = value
        }
        if let value = self.contentBytes {
            message._content_bytes_case = Backfill__V1__InferAnswerHead__ContentBytesCase(rawValue: 4)
            message.content_bytes = value
        }
    }
}

/// `InferChunk` of backfill/v1/inference.proto.
public struct InferChunk: ProtoMessage {
    /// `sequence` of the message.
    public var sequence: UInt64
    /// At most 256 KiB.
    public var data: ByteBuffer

    /// Makes a message; what is not given keeps its proto3 default.
    public init(sequence: UInt64 = 0, data: ByteBuffer = ByteBuffer()) {
        self.sequence = sequence
        self.data = data
    }

    /// Makes the default message.
    public init() { self.init(sequence: 0) }

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

extension InferChunk: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__InferChunk

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__infer_chunk__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.sequence = message.sequence
        self.data = lift.bytes(message.data, field: 2)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.sequence = self.sequence
        message.data = try arena.bytes(self.data)
    }
}

/// `Credit` of backfill/v1/inference.proto.
public struct Credit: ProtoMessage {
    /// `messages` of the message.
    public var messages: UInt32
    /// `bytes` of the message.
    public var bytes: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(messages: UInt32 = 0, bytes: UInt64 = 0) {
        self.messages = messages
        self.bytes = bytes
    }

    /// Makes the default message.
    public init() { self.init(messages: 0) }

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

extension Credit: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__Credit

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__credit__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.messages = message.messages
        self.bytes = message.bytes
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.messages = self.messages
        message.bytes = self.bytes
    }
}

/// `InferUnaryRequest` of backfill/v1/inference.proto.
public struct InferUnaryRequest: ProtoMessage {
    /// `head` of the message.
    public var head: InferHead?
    /// `body` of the message.
    public var body: ByteBuffer

    /// Makes a message; what is not given keeps its proto3 default.
    public init(head: InferHead? = nil, body: ByteBuffer = ByteBuffer()) {
        self.head = head
        self.body = body
    }

    /// Makes the default message.
    public init() { self.init(head: nil) }

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

extension InferUnaryRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__InferUnaryRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__infer_unary_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.head {
            self.head = try InferHead(lifting: pointer.pointee, with: lift.inner)
        }
        self.body = lift.bytes(message.body, field: 2)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.head { message.head = try arena.message(value) }
        message.body = try arena.bytes(self.body)
    }
}

/// `InferUnaryResponse` of backfill/v1/inference.proto.
public struct InferUnaryResponse: ProtoMessage {
    /// `head` of the message.
    public var head: InferAnswerHead?
    /// `body` of the message.
    public var body: ByteBuffer

    /// Makes a message; what is not given keeps its proto3 default.
    public init(head: InferAnswerHead? = nil, body: ByteBuffer = ByteBuffer()) {
        self.head = head
        self.body = body
    }

    /// Makes the default message.
    public init() { self.init(head: nil) }

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

extension InferUnaryResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__InferUnaryResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__infer_unary_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.head {
            self.head = try InferAnswerHead(lifting: pointer.pointee, with: lift.inner)
        }
        self.body = lift.bytes(message.body, field: 2)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.head { message.head = try arena.message(value) }
        message.body = try arena.bytes(self.body)
    }
}

/// The service `backfill.v1.Inference`.
public enum InferenceService {
    /// Full name on the wire.
    public static let name = "backfill.v1.Inference"
    /// Bodies and answers of any size in chunks of at most 256 KiB each way, under credits.
    public static let infer = RPCBidirectionalMethod<InferRequest, InferResponse>(service: name, name: "Infer", roles: [.gateway, .service])
    /// The short form, for bodies and answers of at most 1 MiB less the envelope.
    public static let inferUnary = RPCMethod<InferUnaryRequest, InferUnaryResponse>(service: name, name: "InferUnary", roles: [.gateway, .service])
}

