public import NIOCore
public import NIOPosix
public import ProtoFraming

/// Settings of an `RPCClient`.
public struct RPCClientConfiguration: Sendable {
    /// The servers, any of which can take a call.
    public var endpoints: [RPCClient.Endpoint]
    /// Certificates and the server's name; nil: without TLS. Default nil.
    public var tls: RPCClientTLS?
    /// Event loops that do the socket work. Default: the process-wide group.
    public var eventLoopGroup: any EventLoopGroup
    /// Control connections to each server, 1 to `maximumControlConnections`, but no more than there are event loops: each
    /// has a loop of its own then, and requests from that loop take it, without a hop between threads. Default 1.
    public var controlConnections = 1
    /// Time for one attempt to connect. Default 5 s.
    public var connectTimeout: Duration
    /// Longest that a call waits for the first attempt to connect; its own timeout bounds it as well. Default 1 s.
    public var connectionWait: Duration
    /// How attempts to connect are spaced.
    public var backOff: BackOff
    /// When calls that failed are made again.
    public var retries: RetryPolicy
    /// Most calls in flight on a connection; more fail with RESOURCE_EXHAUSTED. Default 1,024, which is what the
    /// server takes.
    public var maximumCallsInFlight: Int
    /// How long a stopping client lets running calls end. Default 30 s.
    public var drainTimeout: Duration
    /// Bytes of messages of streams on their way to the socket of a connection; who sends more waits. Default 1 MiB.
    public var maximumQueuedStreamBytes: Int
    /// How long a connection is not read because its caller leaves the messages of a stream waiting; then that stream
    /// fails with RESOURCE_EXHAUSTED (G5-05). Default 1 s, as Go has it.
    public var fullStreamPatience: Duration
    /// Whether a new connection says Hello, to learn whether the server has the `Session` service (G6-01). A server
    /// without it is served as well, but learns of cancelled streams only by their deadlines. Default true.
    public var usesSession: Bool
    /// When a server that is silent is taken for dead; its calls fail with UNAVAILABLE and the connection is made anew.
    /// Only servers with the `Session` service are pinged. nil: none is. Default: pings after 10 s, two may be missed.
    public var keepAlive: KeepAlive?
    /// When the kernel gives a connection up.
    public var socketTimes = SocketTimes()
    /// Sizes of frames, both ways.
    public var frame: FrameLimits
    /// First stream id on a connection and the one from which on the connection is replaced (G2-04).
    var streamIDs: Range<UInt32> = 1..<((1 << 31) - (1 << 20))
    /// Lanes that are connected.
    var lanes = RPCClient.Lane.allCases

    /// Most control connections to a server, which has 256 for all its clients.
    public static let maximumControlConnections = 8

    /// The event loops that have a control connection of their own; none: there is one, on any loop.
    var controlLoops: [any EventLoop] {
        let count = min(self.controlConnections, Self.maximumControlConnections)
        return count > 1 ? Array(self.eventLoopGroup.makeIterator().prefix(count)) : []
    }

    /// Makes settings.
    public init(
        endpoints: [RPCClient.Endpoint],
        tls: RPCClientTLS? = nil,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        connectTimeout: Duration = .seconds(5),
        connectionWait: Duration = .seconds(1),
        backOff: BackOff = BackOff(),
        retries: RetryPolicy = RetryPolicy(),
        maximumCallsInFlight: Int = 1_024,
        drainTimeout: Duration = .seconds(30),
        maximumQueuedStreamBytes: Int = 1 << 20,
        fullStreamPatience: Duration = .seconds(1),
        usesSession: Bool = true,
        keepAlive: KeepAlive? = KeepAlive(),
        frame: FrameLimits = FrameLimits()
    ) {
        self.endpoints = endpoints
        self.tls = tls
        self.eventLoopGroup = eventLoopGroup
        self.connectTimeout = connectTimeout
        self.connectionWait = connectionWait
        self.backOff = backOff
        self.retries = retries
        self.maximumCallsInFlight = maximumCallsInFlight
        self.drainTimeout = drainTimeout
        self.maximumQueuedStreamBytes = maximumQueuedStreamBytes
        self.fullStreamPatience = fullStreamPatience
        self.usesSession = usesSession
        self.keepAlive = keepAlive
        self.frame = frame
    }
}

extension RPCClient {
    /// Where a server listens.
    public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
        /// Name or address.
        public var host: String
        /// TCP port.
        public var port: Int

        /// Names a server.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// `host:port`, with brackets around an IPv6 address.
        public var description: String {
            self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
        }
    }

    /// Calls of different lanes travel on different connections, so that small ones never wait behind large ones.
    public enum Lane: Sendable, Hashable, CaseIterable {
        /// Control calls and small messages.
        case control
        /// File content.
        case bulk
    }
}
