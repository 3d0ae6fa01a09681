// Generated from backfill/session/v1/session.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// `ServingStatus` of backfill/session/v1/session.proto.
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

/// What one side of a connection is and takes; 0: not said.
public struct SessionLimits: ProtoMessage {
    /// Version of this service: 1.
    public var version: UInt32
    /// Names the process in logs.
    public var node: String
    /// Most data bytes of a frame.
    public var maximumFrameBytes: UInt64
    /// Most streams at a time.
    public var maximumStreams: UInt32
    /// Most messages of a stream that may wait to be consumed.
    public var windowMessages: UInt32
    /// Most bytes of them.
    public var windowBytes: UInt64
    /// What else it understands; names without meaning to the other side are passed over.
    public var features: [String]
    /// After so long without a byte from the other side this side sends a Ping; 0: it sends none. A server that is told
    /// closes a connection on which nothing has moved either way for several times as long.
    public var pingIntervalMilliseconds: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(version: UInt32 = 0, node: String = "", maximumFrameBytes: UInt64 = 0, maximumStreams: UInt32 = 0, windowMessages: UInt32 = 0, windowBytes: UInt64 = 0, features: [String] = [], pingIntervalMilliseconds: UInt64 = 0) {
        self.version = version
        self.node = node
        self.maximumFrameBytes = maximumFrameBytes
        self.maximumStreams = maximumStreams
        self.windowMessages = windowMessages
        self.windowBytes = windowBytes
        self.features = features
        self.pingIntervalMilliseconds = pingIntervalMilliseconds
    }

    /// Makes the default message.
    public init() { self.init(version: 0) }

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

extension SessionLimits: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__SessionLimits

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__session_limits__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.version = message.version
        self.node = try lift.string(message.node)
        self.maximumFrameBytes = message.maximum_frame_bytes
        self.maximumStreams = message.maximum_streams
        self.windowMessages = message.window_messages
        self.windowBytes = message.window_bytes
        for index in 0..<message.n_features {
            guard let element = message.features?[index] else { throw .malformed }
            self.features.append(try lift.string(element))
        }
        self.pingIntervalMilliseconds = message.ping_interval_milliseconds
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.version = self.version
        message.node = try arena.string(self.node)
        message.maximum_frame_bytes = self.maximumFrameBytes
        message.maximum_streams = self.maximumStreams
        message.window_messages = self.windowMessages
        message.window_bytes = self.windowBytes
        message.n_features = self.features.count
        message.features = try arena.array(self.features) { element throws(ProtoEncodingError) in
            try arena.string(element)
        }
        message.ping_interval_milliseconds = self.pingIntervalMilliseconds
    }
}

/// `HelloRequest` of backfill/session/v1/session.proto.
public struct HelloRequest: ProtoMessage {
    /// `client` of the message.
    public var client: SessionLimits?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(client: SessionLimits? = nil) {
        self.client = client
    }

    /// Makes the default message.
    public init() { self.init(client: nil) }

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

extension HelloRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__HelloRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__hello_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.client {
            self.client = try SessionLimits(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.client { message.client = try arena.message(value) }
    }
}

/// `HelloResponse` of backfill/session/v1/session.proto.
public struct HelloResponse: ProtoMessage {
    /// `server` of the message.
    public var server: SessionLimits?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(server: SessionLimits? = nil) {
        self.server = server
    }

    /// Makes the default message.
    public init() { self.init(server: nil) }

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

extension HelloResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__HelloResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__hello_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.server {
            self.server = try SessionLimits(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.server { message.server = try arena.message(value) }
    }
}

/// `CancelRequest` of backfill/session/v1/session.proto.
public struct CancelRequest: ProtoMessage {
    /// `stream_id` of the message.
    public var streamID: UInt32
    /// For the log.
    public var reason: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(streamID: UInt32 = 0, reason: String = "") {
        self.streamID = streamID
        self.reason = reason
    }

    /// Makes the default message.
    public init() { self.init(streamID: 0) }

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

extension CancelRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__CancelRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__cancel_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.streamID = message.stream_id
        self.reason = try lift.string(message.reason)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.stream_id = self.streamID
        message.reason = try arena.string(self.reason)
    }
}

/// `CancelResponse` of backfill/session/v1/session.proto.
public struct CancelResponse: ProtoMessage {
    /// Whether the stream had not been answered yet.
    public var wasRunning: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(wasRunning: Bool = false) {
        self.wasRunning = wasRunning
    }

    /// Makes the default message.
    public init() { self.init(wasRunning: false) }

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

extension CancelResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__CancelResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__cancel_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.wasRunning = message.was_running != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.was_running = self.wasRunning ? 1 : 0
    }
}

/// `PingRequest` of backfill/session/v1/session.proto.
public struct PingRequest: ProtoMessage {
    /// `nonce` of the message.
    public var nonce: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(nonce: UInt64 = 0) {
        self.nonce = nonce
    }

    /// Makes the default message.
    public init() { self.init(nonce: 0) }

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

extension PingRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__PingRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__ping_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.nonce = message.nonce
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.nonce = self.nonce
    }
}

/// `PingResponse` of backfill/session/v1/session.proto.
public struct PingResponse: ProtoMessage {
    /// The request's.
    public var nonce: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(nonce: UInt64 = 0) {
        self.nonce = nonce
    }

    /// Makes the default message.
    public init() { self.init(nonce: 0) }

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

extension PingResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__PingResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__ping_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.nonce = message.nonce
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.nonce = self.nonce
    }
}

/// `HealthRequest` of backfill/session/v1/session.proto.
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

extension HealthRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__HealthRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__health_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.service = try lift.string(message.service)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.service = try arena.string(self.service)
    }
}

/// `HealthResponse` of backfill/session/v1/session.proto.
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

extension HealthResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__HealthResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__health_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.status = ServingStatus(rawValue: Int32(bitPattern: message.status.rawValue))
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.status = Backfill__Session__V1__ServingStatus(rawValue: UInt32(bitPattern: self.status.rawValue))
    }
}

/// `WatchRequest` of backfill/session/v1/session.proto.
public struct WatchRequest: ProtoMessage {

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

extension WatchRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__WatchRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__watch_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
    }
}

/// `WatchResponse` of backfill/session/v1/session.proto.
public struct WatchResponse: ProtoMessage {
    /// Open new calls elsewhere. Those that the connection has accepted may end.
    public var drain: Drain?

    /// Makes a message; what is not given keeps its proto3 default.
    public init(drain: Drain? = nil) {
        self.drain = drain
    }

    /// Makes the default message.
    public init() { self.init(drain: nil) }

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

extension WatchResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__WatchResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__watch_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        if let pointer = message.drain {
            self.drain = try Drain(lifting: pointer.pointee, with: lift.inner)
        }
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        if let value = self.drain { message.drain = try arena.message(value) }
    }
}

/// `Drain` of backfill/session/v1/session.proto.
public struct Drain: ProtoMessage {
    /// Streams above it are not run and may be opened again elsewhere. 2147483647, above which there are none, while the
    /// connection still accepts what is on its way.
    public var lastAcceptedStreamID: UInt32
    /// Time that is left for the others.
    public var remainingMilliseconds: UInt64
    /// Not 0: send a Ping with this nonce once you open no more streams here. What was opened before is accepted; then
    /// the last notice comes. Without a Ping it comes after a while.
    public var pingNonce: UInt64

    /// Makes a message; what is not given keeps its proto3 default.
    public init(lastAcceptedStreamID: UInt32 = 0, remainingMilliseconds: UInt64 = 0, pingNonce: UInt64 = 0) {
        self.lastAcceptedStreamID = lastAcceptedStreamID
        self.remainingMilliseconds = remainingMilliseconds
        self.pingNonce = pingNonce
    }

    /// Makes the default message.
    public init() { self.init(lastAcceptedStreamID: 0) }

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

extension Drain: ProtobufCConvertible {
    typealias CMessage = Backfill__Session__V1__Drain

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__session__v1__drain__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.lastAcceptedStreamID = message.last_accepted_stream_id
        self.remainingMilliseconds = message.remaining_milliseconds
        self.pingNonce = message.ping_nonce
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.last_accepted_stream_id = self.lastAcceptedStreamID
        message.remaining_milliseconds = self.remainingMilliseconds
        message.ping_nonce = self.pingNonce
    }
}

/// The service `backfill.session.v1.Session`.
public enum SessionService {
    /// Full name on the wire.
    public static let name = "backfill.session.v1.Session"
    /// The first call on a connection: who the peers are and what they allow.
    public static let hello = RPCMethod<HelloRequest, HelloResponse>(service: name, name: "Hello", roles: [.everybody])
    /// Ends a stream of this connection that its caller does not wait for any more. It may be called again.
    public static let cancel = RPCMethod<CancelRequest, CancelResponse>(service: name, name: "Cancel", roles: [.everybody])
    /// Whether the peer is there.
    public static let ping = RPCMethod<PingRequest, PingResponse>(service: name, name: "Ping", roles: [.everybody])
    /// Whether a service of this peer can take calls; the words of grpc.health.v1.
    public static let health = RPCMethod<HealthRequest, HealthResponse>(service: name, name: "Health", roles: [.everybody])
    /// Tells when the peer is about to close the connection: once so that calls go elsewhere, and once more, as the last
    /// message, which of them it has accepted.
    public static let watch = RPCServerStreamMethod<WatchRequest, WatchResponse>(service: name, name: "Watch", roles: [.everybody])
}

