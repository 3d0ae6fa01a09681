public import NIOCore

/// What a handler knows about its call besides the request.
public struct RPCContext: Sendable {
    /// Metadata of the call.
    public let metadata: RPCMetadata
    /// Who makes the call.
    public let caller: RPCCaller
    /// Whom the call is for: the caller's own tenant, or the metadata key `tenant` if the caller may name one, or
    /// `default`.
    public var tenant: String { self.caller.tenant(named: self.metadata["tenant"]) }
    /// The part of the tenant that the call is for: the metadata key `project`; nil: all of it.
    public var project: String? { self.metadata["project"].flatMap { $0.isEmpty ? nil : $0 } }
    /// Address of the client; nil when the socket does not tell.
    public let peer: SocketAddress?
    /// Names the call in logs: the metadata key `request-id`, or a name made here.
    public var requestID: String {
        self.metadata["request-id"] ?? self.localID.description
    }
    /// Time the caller still waits, never below zero; nil when it set no limit. The handler's task is cancelled when it
    /// is over.
    public var remaining: Duration? {
        self.deadline.map { .nanoseconds(max(0, ($0 - .now()).nanoseconds)) }
    }

    private let deadline: NIODeadline?
    private let localID: LocalRequestID

    /// Makes a context, for tests of handlers.
    public init(
        metadata: RPCMetadata = RPCMetadata(),
        caller: RPCCaller = .local,
        timeout: Duration? = nil,
        peer: SocketAddress? = nil,
        requestID: String = "local"
    ) {
        self.init(
            metadata: metadata,
            caller: caller,
            deadline: timeout.map { .now() + TimeAmount(clamping: $0) },
            peer: peer,
            localID: .given(requestID)
        )
    }

    init(
        metadata: RPCMetadata,
        caller: RPCCaller,
        deadline: NIODeadline?,
        peer: SocketAddress?,
        localID: LocalRequestID
    ) {
        self.metadata = metadata
        self.caller = caller
        self.deadline = deadline
        self.peer = peer
        self.localID = localID
    }
}

/// The name of a call that its client did not name; text only when it is asked for.
enum LocalRequestID: Sendable, CustomStringConvertible {
    case given(String)
    case numbered(connection: UInt64, streamID: UInt32)

    var description: String {
        switch self {
        case .given(let text): text
        case .numbered(let connection, let streamID): "\(connection)-\(streamID)"
        }
    }
}
