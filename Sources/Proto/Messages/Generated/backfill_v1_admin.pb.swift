// Generated from backfill/v1/admin.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// `GetStatusRequest` of backfill/v1/admin.proto.
public struct GetStatusRequest: ProtoMessage {

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

extension GetStatusRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetStatusRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_status_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
    }
}

/// `GetStatusResponse` of backfill/v1/admin.proto.
public struct GetStatusResponse: ProtoMessage {
    /// `version` of the message.
    public var version: String
    /// Unix seconds.
    public var startedAt: Int64
    /// `engines` of the message.
    public var engines: [EngineStatus]
    /// Batches this scheduler is running at the moment.
    public var runningBatches: UInt32
    /// Batches waiting for their turn to run.
    public var queuedBatches: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(version: String = "", startedAt: Int64 = 0, engines: [EngineStatus] = [], runningBatches: UInt32 = 0, queuedBatches: UInt32 = 0) {
        self.version = version
        self.startedAt = startedAt
        self.engines = engines
        self.runningBatches = runningBatches
        self.queuedBatches = queuedBatches
    }

    /// Makes the default message.
    public init() { self.init(version: "") }

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

extension GetStatusResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__GetStatusResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__get_status_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.version = try lift.string(message.version)
        self.startedAt = message.started_at
        self.engines = try lift.messages(EngineStatus.self, message.n_engines, message.engines)
        self.runningBatches = message.running_batches
        self.queuedBatches = message.queued_batches
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.version = try arena.string(self.version)
        message.started_at = self.startedAt
        message.n_engines = self.engines.count
        message.engines = try arena.array(self.engines) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
        message.running_batches = self.runningBatches
        message.queued_batches = self.queuedBatches
    }
}

/// `EngineStatus` of backfill/v1/admin.proto.
public struct EngineStatus: ProtoMessage {
    /// `url` of the message.
    public var url: String
    /// `models` of the message.
    public var models: [String]
    /// `ready` of the message.
    public var ready: Bool
    /// Why it is not ready, for people.
    public var reason: String
    /// `requests_in_flight` of the message.
    public var requestsInFlight: UInt32
    /// `concurrency` of the message.
    public var concurrency: UInt32

    /// Makes a message; what is not given keeps its proto3 default.
    public init(url: String = "", models: [String] = [], ready: Bool = false, reason: String = "", requestsInFlight: UInt32 = 0, concurrency: UInt32 = 0) {
        self.url = url
        self.models = models
        self.ready = ready
        self.reason = reason
        self.requestsInFlight = requestsInFlight
        self.concurrency = concurrency
    }

    /// Makes the default message.
    public init() { self.init(url: "") }

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

extension EngineStatus: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__EngineStatus

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__engine_status__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.url = try lift.string(message.url)
        for index in 0..<message.n_models {
            guard let element = message.models?[index] else { throw .malformed }
            self.models.append(try lift.string(element))
        }
        self.ready = message.ready != 0
        self.reason = try lift.string(message.reason)
        self.requestsInFlight = message.requests_in_flight
        self.concurrency = message.concurrency
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.url = try arena.string(self.url)
        message.n_models = self.models.count
        message.models = try arena.array(self.models) { element throws(ProtoEncodingError) in
            try arena.string(element)
        }
        message.ready = self.ready ? 1 : 0
        message.reason = try arena.string(self.reason)
        message.requests_in_flight = self.requestsInFlight
        message.concurrency = self.concurrency
    }
}

/// The service `backfill.v1.Admin`.
public enum AdminService {
    /// Full name on the wire.
    public static let name = "backfill.v1.Admin"
    /// A snapshot of engines and jobs.
    public static let getStatus = RPCMethod<GetStatusRequest, GetStatusResponse>(service: name, name: "GetStatus", roles: [.gateway, .operator], isIdempotent: true)
}

