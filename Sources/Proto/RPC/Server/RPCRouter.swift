public import NIOCore
public import ProtoMessages

/// The methods that a server has.
public struct RPCRouter: Sendable {
    /// Runs a call: the request's bytes and the longest answer in, the response frame's data out.
    @usableFromInline
    typealias Handler = @Sendable (ByteBuffer, RPCContext, Int) async throws -> ByteBuffer

    /// Runs a call on a stream. Gives the response frame's data, or nil where messages were the answer.
    typealias StreamHandler = @Sendable (ServerStream, RPCContext) async throws -> ByteBuffer?

    /// Answers a call on the connection's event loop, at once and through the connection.
    typealias ImmediateHandler = @Sendable (RequestEnvelope, UInt32, any SessionPeer) throws(RPCError) -> Void

    /// Makes what answers a stream on the connection's event loop.
    @usableFromInline
    typealias ResponderFactory = @Sendable (RPCStreamWaker, RPCContext) -> StreamResponder

    /// Takes the answer of a call on the event loop.
    @usableFromInline
    struct ImmediateReply {
        fileprivate let streamID: UInt32
        fileprivate let peer: any SessionPeer

        @usableFromInline
        func send(_ message: some ProtoMessage) throws(RPCError) {
            try self.peer.answer(self.streamID, message)
        }
    }

    /// How calls of a method run, and who may make them. A class, since each call holds one.
    final class Entry: Sendable {
        enum Run: Sendable {
            case unary(Handler, RPCTaskPlace)
            case stream(StreamKind, StreamHandler)
            case immediate(ImmediateHandler)
            case events(StreamKind, ResponderFactory)
        }

        let service: String
        let method: String
        let run: Run
        let roles: RPCRoles

        init(service: String, method: String, run: Run, roles: RPCRoles) {
            self.service = service
            self.method = method
            self.run = run
            self.roles = roles
        }

        var kind: StreamKind {
            switch self.run {
            case .stream(let kind, _), .events(let kind, _): kind
            case .unary, .immediate: .unary
            }
        }

        /// Where its tasks run.
        var place: RPCTaskPlace {
            if case .unary(_, let place) = self.run { place } else { .threads }
        }

        /// Whether its streams are there to tell that the server stops.
        var isWatch: Bool {
            self.method == SessionService.watch.name && self.service == SessionService.name
        }
    }

    private var methods = MethodTable<Entry>()
    /// Whether any method's tasks run on event loops.
    private(set) var hasTasksOnEventLoops = false

    /// Makes a router without methods.
    public init() {}

    /// Adds a method. A method has one handler; registering it again is a programmer's error and traps.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - place: where its tasks run.
    ///   - handler: answers one call. It runs in a task of its own that is cancelled when the deadline passes or the
    ///     client is gone. Until it is first suspended the next calls of its connection wait for it, so it should compute
    ///     for long behind that only. A thrown `RPCError` becomes the call's status; any other error is logged and the client gets
    ///     INTERNAL without its text.
    @inlinable
    public mutating func register<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        on place: RPCTaskPlace = .threads,
        handler: @escaping @Sendable (Request, RPCContext) async throws -> Response
    ) {
        // Inlinable, so that the code around a handler is that of its types and not generic at run time.
        self.addUnary(service: method.service, name: method.name, roles: method.roles, on: place) {
            payload,
            context,
            maximumDataBytes in
            let response = try await handler(try RPCRouter.decode(payload), context)
            return try RPCRouter.encode(response, maximumDataBytes: maximumDataBytes)
        }
    }

    @usableFromInline
    mutating func addUnary(
        service: String,
        name: String,
        roles: RPCRoles,
        on place: RPCTaskPlace,
        _ handler: @escaping Handler
    ) {
        self.add(.unary(handler, place), service: service, name: name, roles: roles)
        if place == .eventLoop { self.hasTasksOnEventLoops = true }
    }

    @usableFromInline
    static func encode(_ response: some ProtoMessage, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        try FrameEncoding.response(response, maximumDataBytes: maximumDataBytes)
    }

    /// Adds a method that answers with a stream; see the other `register`.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - handler: answers one call through the writer, which holds it back while the client does not take its
    ///     messages. Returning ends the stream well, throwing ends it with that status. Its task is cancelled when the
    ///     deadline passes, the client cancels the stream or is gone.
    public mutating func register<Request, Response>(
        _ method: RPCServerStreamMethod<Request, Response>,
        handler: @escaping @Sendable (Request, RPCWriter<Response>, RPCContext) async throws -> Void
    ) {
        self.add(
            .stream(.serverStream) { stream, context in
                guard let payload = try await stream.next() else {
                    throw RPCError.protocolViolation("the request holds no message")
                }
                let request: Request = try Self.decode(payload)
                try await handler(request, RPCWriter(sink: stream), context)
                return nil
            },
            service: method.service,
            name: method.name,
            roles: method.roles
        )
    }

    /// Adds a method that takes a stream; see the other `register`.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - handler: consumes the messages and gives the answer. It may answer before the messages end.
    public mutating func register<Request, Response>(
        _ method: RPCClientStreamMethod<Request, Response>,
        handler: @escaping @Sendable (RPCMessages<Request>, RPCContext) async throws -> Response
    ) {
        self.add(
            .stream(.clientStream) { stream, context in
                let response = try await handler(RPCMessages(source: stream), context)
                return try FrameEncoding.response(response, maximumDataBytes: stream.maximumDataBytes)
            },
            service: method.service,
            name: method.name,
            roles: method.roles
        )
    }

    /// Adds a method with streams both ways; see the other `register`.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - handler: consumes and sends messages in any order; returning ends the stream well.
    public mutating func register<Request, Response>(
        _ method: RPCBidirectionalMethod<Request, Response>,
        handler: @escaping @Sendable (RPCMessages<Request>, RPCWriter<Response>, RPCContext) async throws -> Void
    ) {
        self.add(
            .stream(.bidirectional) { stream, context in
                try await handler(RPCMessages(source: stream), RPCWriter(sink: stream), context)
                return nil
            },
            service: method.service,
            name: method.name,
            roles: method.roles
        )
    }

    /// Adds a method that is answered on the connection's event loop, without a task: for work of microseconds, at several
    /// times the calls of the other `register`.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - handler: answers one call. While it runs, nothing else does on the event loop, so it must neither block nor
    ///     compute for long. It cannot be cancelled.
    @inlinable
    public mutating func registerOnEventLoop<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        handler: @escaping @Sendable (Request, RPCContext) throws(RPCError) -> Response
    ) {
        self.addOnEventLoop(service: method.service, name: method.name, roles: method.roles) {
            payload,
            context,
            reply throws(RPCError) in
            try reply.send(try handler(try RPCRouter.decode(payload), context))
        }
    }

    @usableFromInline
    mutating func addOnEventLoop(
        service: String,
        name: String,
        roles: RPCRoles,
        _ handler: @escaping @Sendable (ByteBuffer, RPCContext, ImmediateReply) throws(RPCError) -> Void
    ) {
        let run = Entry.Run.immediate { envelope, streamID, peer throws(RPCError) in
            // Already over (G3-05).
            guard envelope.timeoutNanoseconds >= 0 else { throw .deadlineExceeded }
            let context = peer.context(of: envelope, streamID: streamID)
            try handler(envelope.payload, context, ImmediateReply(streamID: streamID, peer: peer))
        }
        self.add(run, service: service, name: name, roles: roles)
    }

    /// Adds a method with streams both ways that responders answer on the connection's event loop, without tasks.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - responder: makes what answers one call, on its event loop. The waker is for what happens elsewhere.
    @inlinable
    public mutating func registerOnEventLoop<Responder: RPCStreamResponder>(
        _ method: RPCBidirectionalMethod<Responder.Request, Responder.Response>,
        responder: @escaping @Sendable (RPCStreamWaker, RPCContext) -> Responder
    ) {
        self.addResponder(.bidirectional, service: method.service, name: method.name, roles: method.roles) {
            StreamResponder(responder($0, $1))
        }
    }

    /// Adds a method that answers with a stream and is answered by responders; see the other `registerOnEventLoop`.
    @inlinable
    public mutating func registerOnEventLoop<Responder: RPCStreamResponder>(
        _ method: RPCServerStreamMethod<Responder.Request, Responder.Response>,
        responder: @escaping @Sendable (RPCStreamWaker, RPCContext) -> Responder
    ) {
        self.addResponder(.serverStream, service: method.service, name: method.name, roles: method.roles) {
            StreamResponder(responder($0, $1))
        }
    }

    @usableFromInline
    mutating func addResponder(
        _ kind: StreamKind,
        service: String,
        name: String,
        roles: RPCRoles,
        _ make: @escaping ResponderFactory
    ) {
        self.add(.events(kind, make), service: service, name: name, roles: roles)
    }

    /// Adds a method of the protocol's own, unless the router has it. It must not wait for a free thread.
    mutating func registerImmediate<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        handler: @escaping @Sendable (Request, any SessionPeer) -> Response
    ) {
        guard self.methods[method.service, method.name] == nil else { return }
        self.add(
            .immediate { envelope, streamID, peer throws(RPCError) in
                let request: Request = try Self.decode(envelope.payload)
                try peer.answer(streamID, handler(request, peer))
            },
            service: method.service,
            name: method.name,
            roles: method.roles
        )
    }

    /// Whether any method of a service is there.
    func has(service: String) -> Bool {
        self.methods.has(service: service)
    }

    /// How calls of the method run that a request names.
    ///
    /// - Throws: UNIMPLEMENTED when there is no such method (G5-02).
    func entry(of request: RequestEnvelope) throws(RPCError) -> Entry {
        if let entry = request.withNames({ self.methods.find($0, $1) }) { return entry }
        return try self.entry(service: request.service, method: request.method)
    }

    /// How calls of a method run.
    ///
    /// - Throws: UNIMPLEMENTED when there is no such method (G5-02).
    func entry(service: String, method: String) throws(RPCError) -> Entry {
        if let entry = self.methods[service, method] { return entry }
        let message =
            self.has(service: service)
            ? "unknown method \(method) of service \(service)" : "unknown service \(service)"
        throw RPCError(code: .unimplemented, message: message)
    }

    /// Adds a method of the protocol's own that answers with a stream, unless the router has it.
    mutating func registerOwn<Request, Response>(
        _ method: RPCServerStreamMethod<Request, Response>,
        handler: @escaping @Sendable (ServerStream, RPCWriter<Response>) async throws -> Void
    ) {
        guard self.methods[method.service, method.name] == nil else { return }
        let run = Entry.Run.stream(.serverStream) { stream, _ in
            try await handler(stream, RPCWriter(sink: stream))
            return nil
        }
        self.add(run, service: method.service, name: method.name, roles: method.roles)
    }

    private mutating func add(_ run: Entry.Run, service: String, name: String, roles: RPCRoles) {
        precondition(self.methods[service, name] == nil, "\(service).\(name) is registered twice")
        self.methods.add(Entry(service: service, method: name, run: run, roles: roles), service: service, method: name)
    }

    @inlinable
    static func decode<Message: ProtoMessage>(_ payload: ByteBuffer) throws(RPCError) -> Message {
        do throws(ProtoDecodingError) {
            return try Message(serialized: payload)
        } catch {
            throw RPCError(code: .invalidArgument, message: "the request message is not a valid \(Message.self)")
        }
    }

    /// Calls a method in this process: through the same messages as a call over the wire, without the wire.
    /// - Throws: what the handler throws; `RPCError` when there is no such method.
    package func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        context: RPCContext
    ) async throws -> Response {
        guard case .unary(let handler, _) = try self.entry(service: method.service, method: method.name).run else {
            throw RPCError(code: .unimplemented, message: "\(method.service).\(method.name) is not called locally")
        }
        let data = try await handler(try request.serialized(), context, Self.maximumLocalBytes)
        return try Response(serialized: try ResponseEnvelope.outcome(reading: data).get())
    }

    private static let maximumLocalBytes = 4 << 20
}
