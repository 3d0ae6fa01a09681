public import GatewayAccess
public import ProtoRPC
public import ProtoTLS
public import Settings
public import TenantLimits
public import WatchedFiles

/// Everything a gateway is told.
public struct GatewayConfiguration: Sendable {
    /// Where to serve the REST API; port 0 picks a free one.
    public var listen: ListenAddress
    /// The schedulers, any of which can take a request.
    public var schedulers: [RPCClient.Endpoint]
    /// When a scheduler that is silent is given up (G6-04). Default: pings after 10 s, two may be missed.
    public var keepAlive = KeepAlive()
    /// When the kernel gives a connection to a scheduler up. Default: after 20 s.
    public var socketTimes = SocketTimes()
    /// When a call that no scheduler has answered is made again (G6-09). Each scheduler is asked once, however many they
    /// are. Default: four times, with pauses from 50 ms to 1 s.
    public var retries = RetryPolicy()
    /// The API keys that are accepted, in a file that may change; nil: whoever reaches the gateway is `Caller.anybody`.
    public var keys: WatchedFile<KeyTable>?
    /// The limits of tenants, in a file that may change; nil: none.
    public var limits: WatchedFile<LimitsTable>?
    /// File to which a line is added for each request that changes something; nil: with keys these lines go to the log.
    public var auditLog: String?
    /// The certificate for HTTPS; nil: HTTP.
    public var tls: TLSConfiguration?
    /// The certificates for the connections to schedulers; nil: without TLS.
    public var schedulerTLS: TLSConfiguration?
    /// Whom a scheduler's certificate must name.
    public var schedulerIdentity = RPCClientTLS.ServerIdentity.endpointHost
    /// Bounds on what clients may do with their connections.
    public var http = HTTPLimits()
    /// Longest time for an online request, from the request to the end of its answer, 1 s to 24 h. Default 10 min.
    public var requestTimeout = Duration.seconds(600)
    /// Silence of a stream of events after which a comment is written to it, 1 s to 10 min. Default 15 s.
    public var streamKeepAlive = Duration.seconds(15)
    /// Bytes of bodies of online requests that are held at a time, at least the 64 MiB of the largest. Default 256 MiB.
    public var maximumHeldBodyBytes = 256 << 20
    /// Control connections to each scheduler, 1 to 8, but no more than there are event loops. Default 8.
    public var schedulerConnections = RPCClientConfiguration.maximumControlConnections
    /// How long requests under way may still take once the gateway is told to stop. Default 30 s.
    public var drainTimeout = Duration.seconds(30)

    /// The documented defaults.
    public init(
        listen: ListenAddress = ListenAddress(host: "127.0.0.1", port: 0),
        schedulers: [RPCClient.Endpoint]
    ) {
        self.listen = listen
        self.schedulers = schedulers
    }
}
