// Generated from ttrpc/ttrpc.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// The messages of ttrpc/ttrpc.proto.
public enum Envelope {
}

extension Envelope {
    /// Carried by a frame of type 1.
    public struct Request: ProtoMessage {
        /// Full protobuf name of the service, such as "backfill.v1.Files".
        public var service: String
        /// Bare method name, such as "GetFile".
        public var method: String
        /// The serialized request message.
        public var payload: ByteBuffer
        /// Time the caller still waits, in nanoseconds; 0 means no limit, negative means already over.
        public var timeoutNano: Int64
        /// Lower-case keys; a key may repeat.
        public var metadata: [Envelope.KeyValue]

        /// Makes a message; what is not given keeps its proto3 default.
        public init(service: String = "", method: String = "", payload: ByteBuffer = ByteBuffer(), timeoutNano: Int64 = 0, metadata: [Envelope.KeyValue] = []) {
            self.service = service
            self.method = method
            self.payload = payload
            self.timeoutNano = timeoutNano
            self.metadata = metadata
        }

        /// Makes the default message.
        public init() { self.init(service: "") }

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

}

extension Envelope.Request: ProtobufCConvertible {
    typealias CMessage = Ttrpc__Request

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { ttrpc__request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.service = try lift.string(message.service)
        self.method = try lift.string(message.method)
        self.payload = lift.bytes(message.payload, field: 3)
        self.timeoutNano = message.timeout_nano
        self.metadata = try lift.messages(Envelope.KeyValue.self, message.n_metadata, message.metadata)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.service = try arena.string(self.service)
        message.method = try arena.string(self.method)
        message.payload = try arena.bytes(self.payload)
        message.timeout_nano = self.timeoutNano
        message.n_metadata = self.metadata.count
        message.metadata = try arena.array(self.metadata) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
    }
}

extension Envelope {
    /// `KeyValue` of ttrpc/ttrpc.proto.
    public struct KeyValue: ProtoMessage {
        /// `key` of the message.
        public var key: String
        /// `value` of the message.
        public var value: String

        /// Makes a message; what is not given keeps its proto3 default.
        public init(key: String = "", value: String = "") {
            self.key = key
            self.value = value
        }

        /// Makes the default message.
        public init() { self.init(key: "") }

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

}

extension Envelope.KeyValue: ProtobufCConvertible {
    typealias CMessage = Ttrpc__KeyValue

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { ttrpc__key_value__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.key = try lift.string(message.key)
        self.value = try lift.string(message.value)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.key = try arena.string(self.key)
        message.value = try arena.string(self.value)
    }
}

extension Envelope {
    /// Carried by a frame of type 2.
    public struct Response: ProtoMessage {
        /// Absent, or code 0, means success.
        public var status: Envelope.Status?
        /// The serialized response message.
        public var payload: ByteBuffer

        /// Makes a message; what is not given keeps its proto3 default.
        public init(status: Envelope.Status? = nil, payload: ByteBuffer = ByteBuffer()) {
            self.status = status
            self.payload = payload
        }

        /// Makes the default message.
        public init() { self.init(status: nil) }

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

}

extension Envelope.Response: ProtobufCConvertible {
    typealias CMessage = Ttrpc__Response

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { ttrpc__response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.status {
            self.status = try Envelope.Status(lifting: pointer.pointee, with: lift.inner)
        }
        self.payload = lift.bytes(message.payload, field: 2)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.status { message.status = try arena.message(value) }
        message.payload = try arena.bytes(self.payload)
    }
}

extension Envelope {
    /// google.rpc.Status.
    public struct Status: ProtoMessage {
        /// One of gRPC's 17 status codes.
        public var code: Int32
        /// For people; never holds payload or secrets.
        public var message: String
        /// Typed details; Backfill sends at most one backfill.v1.ErrorInfo.
        public var details: [Envelope.AnyMessage]

        /// Makes a message; what is not given keeps its proto3 default.
        public init(code: Int32 = 0, message: String = "", details: [Envelope.AnyMessage] = []) {
            self.code = code
            self.message = message
            self.details = details
        }

        /// Makes the default message.
        public init() { self.init(code: 0) }

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

}

extension Envelope.Status: ProtobufCConvertible {
    typealias CMessage = Ttrpc__Status

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { ttrpc__status__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.code = message.code
        self.message = try lift.string(message.message)
        self.details = try lift.messages(Envelope.AnyMessage.self, message.n_details, message.details)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.code = self.code
        message.message = try arena.string(self.message)
        message.n_details = self.details.count
        message.details = try arena.array(self.details) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
    }
}

extension Envelope {
    /// google.protobuf.Any.
    public struct AnyMessage: ProtoMessage {
        /// `type_url` of the message.
        public var typeURL: String
        /// `value` of the message.
        public var value: ByteBuffer

        /// Makes a message; what is not given keeps its proto3 default.
        public init(typeURL: String = "", value: ByteBuffer = ByteBuffer()) {
            self.typeURL = typeURL
            self.value = value
        }

        /// Makes the default message.
        public init() { self.init(typeURL: "") }

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

}

extension Envelope.AnyMessage: ProtobufCConvertible {
    typealias CMessage = Ttrpc__AnyMessage

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { ttrpc__any_message__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.typeURL = try lift.string(message.type_url)
        self.value = lift.bytes(message.value, field: 2)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.type_url = try arena.string(self.typeURL)
        message.value = try arena.bytes(self.value)
    }
}

extension Envelope {
}
