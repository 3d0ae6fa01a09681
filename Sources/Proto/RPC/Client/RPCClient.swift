public import Logging
public import NIOCore
import ProtoFraming
public import ProtoMessages
public import ServiceLifecycle

/// Makes ttrpc calls to one or more servers over TCP, and opens streams to them.
///
/// While `run()` is running it keeps one connection per server and lane, or some on the control lane
/// (`RPCClientConfiguration.controlConnections`), and connects again when one is lost. A call
/// goes to the connected server with the fewest calls in flight, and again to another when it was not run (`RetryPolicy`).
public final class RPCClient: Service {
    let configuration: RPCClientConfiguration
    let links: ClientLinks
    private let logger: Logger

    /// Makes a client; `run()` connects it.
    public init(configuration: RPCClientConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        self.links = ClientLinks(
            endpoints: configuration.endpoints,
            lanes: configuration.lanes,
            controlLoops: configuration.controlLoops,
            backOff: configuration.backOff
        )
    }

    /// Keeps the connections until graceful shutdown or cancellation.
    ///
    /// On graceful shutdown new calls fail with UNAVAILABLE and running ones may end within `drainTimeout`. On
    /// cancellation all connections close at once.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for (index, key) in self.links.keys.enumerated() {
                var logger = self.logger
                logger[metadataKey: "endpoint"] = "\(key.endpoint)"
                logger[metadataKey: "lane"] = "\(key.lane)"
                var configuration = self.configuration
                if let eventLoop = key.eventLoop { configuration.eventLoopGroup = eventLoop }
                let connector = ClientConnector(
                    endpoint: key.endpoint,
                    configuration: configuration,
                    logger: logger
                )
                let link = ClientLink(index: index, links: self.links, connector: connector)
                group.addTask { await link.run() }
            }
        }
    }

    /// Servers that can take calls of every lane now.
    public var connectedEndpoints: [Endpoint] {
        self.links.connectedEndpoints
    }

    /// The server among these that would serve the next control call best: the one with the fewest calls in flight of
    /// those that have not just answered UNAVAILABLE. nil: none of them is connected.
    public func bestEndpoint(of endpoints: [Endpoint]) -> Endpoint? {
        self.links.best(of: endpoints, lane: .control)
    }

    /// Whether at least one server can take calls of every lane now.
    public var isConnected: Bool {
        !self.connectedEndpoints.isEmpty
    }

    /// Calls a method.
    ///
    /// - Throws: the server's status, or UNAVAILABLE without a connection, DEADLINE_EXCEEDED after the timeout,
    ///   CANCELLED when the task is cancelled, RESOURCE_EXHAUSTED when the request does not fit into a frame, too many
    ///   calls are in flight or the answer is too long, INTERNAL when the answer cannot be read.
    ///   `RPCError.notSent` tells whether a server can have run the call.
    @inlinable
    public func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        options: CallOptions = CallOptions()
    ) async throws(RPCError) -> Response {
        let answer = try await self.exchange(method.call, request, options)
        return try RPCClient.decode(answer.payload)
    }

    /// Calls a method and tells which server answered; throws what `call` throws.
    @inlinable
    public func reply<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        options: CallOptions = CallOptions()
    ) async throws(RPCError) -> RPCReply<Response> {
        let answer = try await self.exchange(method.call, request, options)
        return RPCReply(message: try RPCClient.decode(answer.payload), endpoint: answer.endpoint)
    }

    /// The part of a call that does not know the answer's type: the rest is small enough to be made for each type where
    /// it is called, which spares generic code at run time.
    @usableFromInline
    func exchange(
        _ method: RPCMethodCall,
        _ request: some ProtoMessage,
        _ options: CallOptions
    ) async throws(RPCError) -> (payload: ByteBuffer, endpoint: Endpoint) {
        var now = NIODeadline.now()
        let deadline = now + options.timeLimit
        var attempts = self.attempts(mayRunTwice: method.isIdempotent || options.hasIdempotencyKey)
        while true {
            let connection: ClientConnection
            if let chosen = self.connectionNow(for: &attempts, options, now: now) {
                connection = chosen
            } else {
                connection = try await self.connection(for: &attempts, options, deadline: deadline)
                now = .now()
            }
            let head = FrameEncoding.Head(method, deadline: deadline, now: now, options)
            let data = try Self.unsent { () throws(RPCError) in
                try FrameEncoding.request(head, request, maximumDataBytes: connection.maximumDataBytes)
            }
            switch await connection.perform(data, deadline: deadline) {
            case .success(let payload):
                return (payload, connection.endpoint)
            case .failure(let error):
                try await self.failed(error, on: connection, &attempts, options, deadline: deadline)
                now = .now()
            }
        }
    }

    /// Chooses a connection and opens a stream on it. The connection's `close` has to follow.
    func open(
        _ kind: StreamKind,
        _ head: FrameEncoding.Head,
        options: CallOptions,
        request: (FrameEncoding.Head) throws(RPCError) -> ByteBuffer
    ) async throws(RPCError) -> (ClientConnection, ClientStream) {
        let deadline = NIODeadline.now() + options.timeLimit
        var head = head
        head.metadata = options.encodedMetadata
        // Once it is on its way a stream is its caller's, who has perhaps sent on it.
        var attempts = self.attempts(mayRunTwice: false)
        while true {
            let connection = try await self.connection(for: &attempts, options, deadline: deadline)
            head.timeoutNanoseconds = max(1, (deadline - .now()).nanoseconds)
            let data = try Self.unsent { () throws(RPCError) in try request(head) }
            do throws(RPCError) {
                return (connection, try connection.open(kind, data, deadline: deadline))
            } catch {
                try await self.failed(error, on: connection, &attempts, options, deadline: deadline)
            }
        }
    }

    /// What fails before anything was written says so.
    static func unsent<Result>(_ body: () throws(RPCError) -> Result) throws(RPCError) -> Result {
        do throws(RPCError) {
            return try body()
        } catch {
            var error = error
            error.notSent = true
            throw error
        }
    }

    @inlinable
    static func decode<Response: ProtoMessage>(_ payload: ByteBuffer) throws(RPCError) -> Response {
        try payload.withUnsafeReadableBytes { bytes throws(RPCError) in try self.decode(bytes, in: payload) }
    }

    @inlinable
    static func decode<Response: ProtoMessage>(
        _ bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?
    ) throws(RPCError) -> Response {
        do throws(ProtoDecodingError) {
            return try Response(serialized: bytes, in: buffer, limits: .default)
        } catch {
            throw RPCError(code: .internal, message: "the server's answer is not a valid \(Response.self)")
        }
    }
}

/// What a call tells of its method.
@usableFromInline
struct RPCMethodCall: Sendable {
    let names: EncodedFields
    let isIdempotent: Bool
}

extension RPCMethod {
    @usableFromInline var call: RPCMethodCall {
        RPCMethodCall(names: self.encodedNames, isIdempotent: self.isIdempotent)
    }
}

extension RPCServerStreamMethod {
    @usableFromInline var call: RPCMethodCall {
        RPCMethodCall(names: self.encodedNames, isIdempotent: false)
    }
}

extension FrameEncoding.Head {
    init(_ method: RPCMethodCall, deadline: NIODeadline, now: NIODeadline, _ options: CallOptions) {
        self.init(
            names: method.names,
            // 0 would mean no limit (G3-05).
            timeoutNanoseconds: max(1, (deadline - now).nanoseconds),
            metadata: options.encodedMetadata
        )
    }
}
