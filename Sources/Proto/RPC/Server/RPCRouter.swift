import NIOCore
public import ProtoMessages

/// The methods that a server has.
public struct RPCRouter: Sendable {
    /// Runs a call: the request's bytes and the longest answer in, the response frame's data out.
    typealias Handler = @Sendable (ByteBuffer, RPCContext, Int) async throws -> ByteBuffer

    private var services: [String: [String: Handler]] = [:]

    /// Makes a router without methods.
    public init() {}

    /// Adds a method. A method has one handler; registering it again is a programmer's error and traps.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - handler: answers one call. It runs in a task of its own that is cancelled when the deadline passes or the
    ///     client is gone. A thrown `RPCError` becomes the call's status; any other error is logged and the client gets
    ///     INTERNAL without its text.
    public mutating func register<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        handler: @escaping @Sendable (Request, RPCContext) async throws -> Response
    ) {
        precondition(
            self.services[method.service]?[method.name] == nil,
            "\(method.service).\(method.name) is registered twice"
        )
        self.services[method.service, default: [:]][method.name] = { payload, context, maximumDataBytes in
            let request: Request
            do throws(ProtoDecodingError) {
                request = try Request(serialized: payload)
            } catch {
                throw RPCError.protocolViolation("the request message is not a valid \(Request.self)")
            }
            let response = try await handler(request, context)
            return try FrameEncoding.response(response, maximumDataBytes: maximumDataBytes)
        }
    }

    /// The handler of a method.
    ///
    /// - Throws: UNIMPLEMENTED when there is none (G5-02).
    func handler(service: String, method: String) throws(RPCError) -> Handler {
        guard let methods = self.services[service] else {
            throw RPCError(code: .unimplemented, message: "unknown service \(service)")
        }
        guard let handler = methods[method] else {
            throw RPCError(code: .unimplemented, message: "unknown method \(method) of service \(service)")
        }
        return handler
    }

    /// Calls a method in this process: through the same messages as a call over the wire, without the wire.
    /// - Throws: what the handler throws; `RPCError` when there is no such method.
    package func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        context: RPCContext
    ) async throws -> Response {
        let handler = try self.handler(service: method.service, method: method.name)
        let data = try await handler(try request.serialized(), context, Self.maximumLocalBytes)
        return try Response(serialized: try ResponseEnvelope.outcome(reading: data).get())
    }

    private static let maximumLocalBytes = 4 << 20
}
