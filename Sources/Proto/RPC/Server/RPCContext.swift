public import NIOCore

/// What a handler knows about its call besides the request.
public struct RPCContext: Sendable {
    /// Metadata of the call.
    public let metadata: RPCMetadata
    /// Who makes the call.
    public var caller: RPCCaller { self.client.caller }
    /// Whom the call is for: the caller's own tenant, or the metadata key `tenant` if the caller may name one, or
    /// `default`.
    public var tenant: String { self.caller.tenant(named: self.metadata["tenant"]) }
    /// The part of the tenant that the call is for: the metadata key `project`; nil: all of it.
    public var project: String? { self.metadata["project"].flatMap { $0.isEmpty ? nil : $0 } }
    /// Address of the client; nil when the socket does not tell.
    public var peer: SocketAddress? { self.client.address }
    /// Names the call in logs: the metadata key `request-id`, or a name made here.
    public var requestID: String {
        self.metadata["request-id"] ?? self.client.name(ofCall: self.streamID)
    }
    /// Time the caller still waits, never below zero; nil when it set no limit. The handler's task is cancelled when it
    /// is over.
    public var remaining: Duration? {
        self.deadline.map { .nanoseconds(max(0, ($0 - .now()).nanoseconds)) }
    }

    private let deadline: NIODeadline?
    private let client: RPCClientFacts
    private let streamID: UInt32

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
            deadline: timeout.map { .now() + TimeAmount(clamping: $0) },
            client: RPCClientFacts(caller: caller, address: peer, callNames: .given(requestID)),
            streamID: 0
        )
    }

    init(metadata: RPCMetadata, deadline: NIODeadline?, client: RPCClientFacts, streamID: UInt32) {
        self.metadata = metadata
        self.deadline = deadline
        self.client = client
        self.streamID = streamID
    }
}
