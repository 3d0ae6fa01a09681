// Generated from backfill/v1/models.proto by `make protos`. Do not edit.
// swift-format-ignore-file

public import NIOCore
internal import ProtoGenerated

/// `Model` of backfill/v1/models.proto.
public struct Model: ProtoMessage {
    /// Name as requests spell it.
    public var id: String
    /// Unix seconds at which this scheduler first saw the model.
    public var createdAt: Int64
    /// `owned_by` of the message.
    public var ownedBy: String
    /// Whether an engine that serves it answers now.
    public var ready: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(id: String = "", createdAt: Int64 = 0, ownedBy: String = "", ready: Bool = false) {
        self.id = id
        self.createdAt = createdAt
        self.ownedBy = ownedBy
        self.ready = ready
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

extension Model: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__Model

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__model__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.id = try lift.string(message.id)
        self.createdAt = message.created_at
        self.ownedBy = try lift.string(message.owned_by)
        self.ready = message.ready != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.id = try arena.string(self.id)
        message.created_at = self.createdAt
        message.owned_by = try arena.string(self.ownedBy)
        message.ready = self.ready ? 1 : 0
    }
}

/// `ListModelsRequest` of backfill/v1/models.proto.
public struct ListModelsRequest: ProtoMessage {
    /// Id of the last model of the page before; empty: from the start.
    public var after: String

    /// Makes a message; what is not given keeps its proto3 default.
    public init(after: String = "") {
        self.after = after
    }

    /// Makes the default message.
    public init() { self.init(after: "") }

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

extension ListModelsRequest: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListModelsRequest

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_models_request__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.after = try lift.string(message.after)
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.after = try arena.string(self.after)
    }
}

/// `ListModelsResponse` of backfill/v1/models.proto.
public struct ListModelsResponse: ProtoMessage {
    /// `models` of the message.
    public var models: [Model]
    /// `has_more` of the message.
    public var hasMore: Bool

    /// Makes a message; what is not given keeps its proto3 default.
    public init(models: [Model] = [], hasMore: Bool = false) {
        self.models = models
        self.hasMore = hasMore
    }

    /// Makes the default message.
    public init() { self.init(models: []) }

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

extension ListModelsResponse: ProtobufCConvertible {
    typealias CMessage = Backfill__V1__ListModelsResponse

    static func initialize(_ message: UnsafeMutablePointer<CMessage>) { backfill__v1__list_models_response__init(message) }

    init(lifting message: borrowing CMessage, with lift: ProtoLift) throws(ProtoDecodingError) {
        self.init()
        self.models = try lift.messages(Model.self, message.n_models, message.models)
        self.hasMore = message.has_more != 0
    }

    func lower(into message: inout CMessage, arena: ProtoArena) throws(ProtoEncodingError) {
        message.n_models = self.models.count
        message.models = try arena.array(self.models) { element throws(ProtoEncodingError) in
            try arena.message(element)
        }
        message.has_more = self.hasMore ? 1 : 0
    }
}

/// The service `backfill.v1.Models`.
public enum ModelsService {
    /// Full name on the wire.
    public static let name = "backfill.v1.Models"
    /// All models, by name.
    public static let listModels = RPCMethod<ListModelsRequest, ListModelsResponse>(service: name, name: "ListModels", roles: [.gateway, .service, .operator], isIdempotent: true)
}

