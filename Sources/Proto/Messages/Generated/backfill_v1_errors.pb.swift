// Generated from backfill/v1/errors.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// `ErrorInfo` of backfill/v1/errors.proto.
public struct ErrorInfo: ProtoMessage {
    /// Machine-readable reason, such as "file_not_found" or "invalid_value".
    public var reason: String
    /// The request field at fault, in the REST API's spelling, such as "input_file_id"; empty when there is none.
    public var param: String
    /// How long to wait before trying again, in milliseconds; 0 when unknown or pointless.
    public var retryAfterMilliseconds: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(reason: String = "", param: String = "", retryAfterMilliseconds: UInt32 = 0) {
        self.reason = reason
        self.param = param
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// Makes the default message.
    public init() { self.init(reason: "") }

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

extension ErrorInfo: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ErrorInfo

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__error_info__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.reason = try lift.string(message.reason)
        self.param = try lift.string(message.param)
        self.retryAfterMilliseconds = message.retry_after_milliseconds
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.reason = try arena.string(self.reason)
        message.param = try arena.string(self.param)
        message.retry_after_milliseconds = self.retryAfterMilliseconds
    }
}

