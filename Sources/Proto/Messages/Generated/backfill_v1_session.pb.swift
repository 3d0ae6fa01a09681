// Generated from backfill/v1/session.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// `ServingStatus` of backfill/v1/session.proto.
public struct ServingStatus: RawRepresentable, Sendable, Hashable {
    /// Number on the wire; numbers without a name are kept as they came.
    public var rawValue: Int32
    /// Wraps a number.
    public init(rawValue: Int32) { self.rawValue = rawValue }
    /// SERVING_STATUS_UNKNOWN.
    public static let unknown = ServingStatus(rawValue: 0)
    /// SERVING_STATUS_SERVING.
    public static let serving = ServingStatus(rawValue: 1)
    /// SERVING_STATUS_NOT_SERVING.
    public static let notServing = ServingStatus(rawValue: 2)
}

/// `HealthRequest` of backfill/v1/session.proto.
public struct HealthRequest: ProtoMessage {
    /// Full name of a service; empty: the peer as a whole.
    public var service: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(service: String = "") {
        self.service = service
    }

    /// Makes the default message.
    public init() { self.init(service: "") }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(serialized bytes: ByteBuffer, limits: ProtoDecodingLimits) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, limits: limits)
    }

    /// Appends the encoded message.
    public func serialize(into buffer: inout ByteBuffer) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, into: &buffer)
    }
}

extension HealthRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__HealthRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__health_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.service = try lift.string(message.service)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.service = try arena.string(self.service)
    }
}

/// `HealthResponse` of backfill/v1/session.proto.
public struct HealthResponse: ProtoMessage {
    /// `status` of the message.
    public var status: ServingStatus

    /// Makes a message; what is not given keeps its proto3 default.
    public init(status: ServingStatus = ServingStatus(rawValue: 0)) {
        self.status = status
    }

    /// Makes the default message.
    public init() { self.init(status: ServingStatus(rawValue: 0)) }

    /// Decodes a message; every byte sequence is either a value or an error.
    public init(serialized bytes: ByteBuffer, limits: ProtoDecodingLimits) throws(ProtoDecodingError) {
        self = try ProtoCodec.decode(Self.self, from: bytes, limits: limits)
    }

    /// Appends the encoded message.
    public func serialize(into buffer: inout ByteBuffer) throws(ProtoEncodingError) {
        try ProtoCodec.encode(self, into: &buffer)
    }
}

extension HealthResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__HealthResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__health_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.status = ServingStatus(rawValue: Int32(bitPattern: message.status.rawValue))
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.status = Backfill__V1__ServingStatus(rawValue: UInt32(bitPattern: self.status.rawValue))
    }
}

/// The service `backfill.v1.Session`.
public enum SessionService {
    /// Full name on the wire.
    public static let name = "backfill.v1.Session"
    /// Whether a service of this peer can take calls; the words of grpc.health.v1.
    public static let health = RPCMethod<HealthRequest, HealthResponse>(service: name, name: "Health")
}

