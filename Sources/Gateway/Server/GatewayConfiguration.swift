public import ProtoRPC
public import Settings

/// Everything a gateway is told.
public struct GatewayConfiguration: Sendable {
    /// Where to serve the REST API; port 0 picks a free one.
    public var listen: ListenAddress
    /// The schedulers, any of which can take a request.
    public var schedulers: [RPCClient.Endpoint]
    /// Bounds on what clients may do with their connections.
    public var http = HTTPLimits()
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
