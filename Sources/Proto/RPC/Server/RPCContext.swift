public import NIOCore
public import ProtoMessages

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
        self.metadata["request-id"] ?? self.localRequestID
    }
    /// Time the caller still waits, never below zero; nil when it set no limit. The handler's task is cancelled when it
    /// is over.
    public var remaining: Duration? {
        self.deadline.map { .nanoseconds(max(0, ($0 - .now()).nanoseconds)) }
    }

    private let deadline: NIODeadline?
    private let localRequestID: String

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
            localRequestID: requestID
        )
    }

    init(
        metadata: RPCMetadata,
        caller: RPCCaller,
        deadline: NIODeadline?,
        peer: SocketAddress?,
        localRequestID: String
    ) {
        self.metadata = metadata
        self.caller = caller
        self.deadline = deadline
        self.peer = peer
        self.localRequestID = localRequestID
    }
}

/// Metadata of a call: pairs of text. Keys are lower case and may repeat (G3-04).
public struct RPCMetadata: Sendable, Equatable {
    /// The pairs, in the order in which they were sent.
    public let pairs: [Envelope.KeyValue]

    /// Takes pairs; keys are lower-cased.
    public init(_ pairs: [(String, String)] = []) {
        self.init(pairs.map { Envelope.KeyValue(key: $0.0, value: $0.1) })
    }

    /// Takes pairs as they came; keys are lower-cased.
    init(_ pairs: [Envelope.KeyValue]) {
        let isLowerCase = pairs.allSatisfy { pair in
            pair.key.utf8.allSatisfy { $0 < 0x80 && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        }
        self.pairs =
            isLowerCase ? pairs : pairs.map { Envelope.KeyValue(key: $0.key.lowercased(), value: $0.value) }
    }

    /// The first value of a key, given in lower case.
    public subscript(key: String) -> String? {
        self.pairs.first { $0.key == key }?.value
    }

    /// All values of a key, given in lower case.
    public func values(of key: String) -> [String] {
        self.pairs.filter { $0.key == key }.map(\.value)
    }
}
