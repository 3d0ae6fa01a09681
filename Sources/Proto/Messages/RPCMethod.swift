/// A unary method of a service: its name on the wire and the types of its messages.
public struct RPCMethod<Request: ProtoMessage, Response: ProtoMessage>: Sendable {
    /// Full name of the service, such as `backfill.v1.Files`.
    public let service: String
    /// Bare name of the method, such as `GetFile`.
    public let name: String

    /// Names a method; the generated `...Service` enums hold those of the project's .proto files.
    public init(service: String, name: String) {
        self.service = service
        self.name = name
    }
}
