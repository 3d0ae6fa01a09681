import NIOCore
package import ProtoMessages

/// How a call is made.
public struct CallOptions: Sendable {
    /// Time until the call fails with DEADLINE_EXCEEDED; it travels with the call. Default 30 s.
    public var timeout: Duration {
        didSet { self.timeLimit = TimeAmount(clamping: self.timeout) }
    }
    /// Pairs that travel with the call; keys are lower-cased (G3-04) and may repeat. Default none.
    public var metadata: [(String, String)] {
        get { self.pairs.map { ($0.key, $0.value) } }
        set { self.setMetadata(newValue) }
    }
    /// Which connections carry the call. Default control.
    public var lane: RPCClient.Lane
    /// The one server that may take the call, as after an earlier `RPCReply`; nil: any. Default nil.
    public var endpoint: RPCClient.Endpoint?

    /// `timeout`, at most a year.
    private(set) var timeLimit: TimeAmount
    private var pairs: [Envelope.KeyValue] = []
    /// The metadata as it travels: made once for all calls with these options.
    private(set) var encodedMetadata = EncodedFields()
    /// Whether the metadata makes the call one that may be made twice.
    private(set) var hasIdempotencyKey = false

    /// Makes options.
    public init(
        timeout: Duration = .seconds(30),
        metadata: [(String, String)] = [],
        lane: RPCClient.Lane = .control,
        endpoint: RPCClient.Endpoint? = nil
    ) {
        self.timeout = timeout
        self.timeLimit = TimeAmount(clamping: timeout)
        self.lane = lane
        self.endpoint = endpoint
        self.setMetadata(metadata)
    }

    /// Options whose metadata need not be made ready any more.
    ///
    /// - Parameter pairs: with keys in lower case.
    package init(timeout: Duration, pairs: [Envelope.KeyValue], endpoint: RPCClient.Endpoint?) {
        self.timeout = timeout
        self.timeLimit = TimeAmount(clamping: timeout)
        self.lane = .control
        self.endpoint = endpoint
        self.setPairs(pairs)
    }

    private mutating func setMetadata(_ metadata: [(String, String)]) {
        self.setPairs(metadata.map { Envelope.KeyValue(key: $0.0.lowercased(), value: $0.1) })
    }

    private mutating func setPairs(_ pairs: [Envelope.KeyValue]) {
        self.pairs = pairs
        self.encodedMetadata = EncodedFields(metadata: pairs)
        self.hasIdempotencyKey = pairs.contains { $0.key == "idempotency-key" && !$0.value.isEmpty }
    }
}

/// A call's answer and who gave it.
public struct RPCReply<Response: Sendable>: Sendable {
    /// The answer.
    public var message: Response
    /// The server that gave it; set it in `CallOptions.endpoint` for calls that must go to the same one.
    public var endpoint: RPCClient.Endpoint

    @usableFromInline
    init(message: Response, endpoint: RPCClient.Endpoint) {
        self.message = message
        self.endpoint = endpoint
    }
}
