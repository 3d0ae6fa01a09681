/// A unary method of a service: its name on the wire and the types of its messages.
public struct RPCMethod<Request: ProtoMessage, Response: ProtoMessage>: Sendable {
    /// Full name of the service, such as `backfill.v1.Files`.
    public let service: String
    /// Bare name of the method, such as `GetFile`.
    public let name: String
    /// Who may call it.
    public let roles: RPCRoles
    /// Whether a call does no harm when it is made twice, so that it may be made again when it is not known whether it
    /// was run; the .proto file declares it by `idempotency_level`.
    public let isIdempotent: Bool
    /// Both names as a request's envelope holds them.
    package let encodedNames: EncodedFields

    /// Names a method; the generated `...Service` enums hold those of the project's .proto files. Without roles it cannot
    /// be called with a certificate.
    public init(service: String, name: String, roles: RPCRoles = [], isIdempotent: Bool = false) {
        self.service = service
        self.name = name
        self.roles = roles
        self.isIdempotent = isIdempotent
        self.encodedNames = EncodedFields(service: service, method: name)
    }
}

/// A method that takes one message and answers with any number of them.
public struct RPCServerStreamMethod<Request: ProtoMessage, Response: ProtoMessage>: Sendable {
    /// Full name of the service.
    public let service: String
    /// Bare name of the method.
    public let name: String
    /// Who may call it.
    public let roles: RPCRoles
    /// Both names as a request's envelope holds them.
    package let encodedNames: EncodedFields

    /// Names a method.
    public init(service: String, name: String, roles: RPCRoles = []) {
        self.service = service
        self.name = name
        self.roles = roles
        self.encodedNames = EncodedFields(service: service, method: name)
    }
}

/// A method that takes any number of messages and answers with one.
public struct RPCClientStreamMethod<Request: ProtoMessage, Response: ProtoMessage>: Sendable {
    /// Full name of the service.
    public let service: String
    /// Bare name of the method.
    public let name: String
    /// Who may call it.
    public let roles: RPCRoles
    /// Both names as a request's envelope holds them.
    package let encodedNames: EncodedFields

    /// Names a method.
    public init(service: String, name: String, roles: RPCRoles = []) {
        self.service = service
        self.name = name
        self.roles = roles
        self.encodedNames = EncodedFields(service: service, method: name)
    }
}

/// A method on whose streams both sides send any number of messages, in any order.
public struct RPCBidirectionalMethod<Request: ProtoMessage, Response: ProtoMessage>: Sendable {
    /// Full name of the service.
    public let service: String
    /// Bare name of the method.
    public let name: String
    /// Who may call it.
    public let roles: RPCRoles
    /// Both names as a request's envelope holds them.
    package let encodedNames: EncodedFields

    /// Names a method.
    public init(service: String, name: String, roles: RPCRoles = []) {
        self.service = service
        self.name = name
        self.roles = roles
        self.encodedNames = EncodedFields(service: service, method: name)
    }
}
