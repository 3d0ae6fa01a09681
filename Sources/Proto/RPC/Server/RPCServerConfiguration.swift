public import NIOCore
public import NIOPosix
public import ProtoFraming

/// Settings of an `RPCServer`.
public struct RPCServerConfiguration: Sendable {
    /// Name or address to listen on. Default 127.0.0.1.
    public var host: String
    /// Port to listen on; 0 lets the kernel choose. Default 0.
    public var port: Int
    /// Event loops that do the socket work. Default: the process-wide group.
    public var eventLoopGroup: any EventLoopGroup
    /// Certificates and what they may do; nil: without TLS, and every client may do everything. Default nil.
    public var tls: RPCServerTLS?
    /// Bounds on what clients may do.
    public var limits: RPCServerLimits
    /// Refuse stream ids that do not rise, as Go does, instead of allowing for clients that send them slightly out of
    /// order (G5-14). Default false.
    public var strictStreamIDs: Bool
    /// How long a stopping server lets running calls end. Default 30 s.
    public var drainTimeout: Duration
    /// How long a stopping server accepts what clients that it has told have sent before they knew (G6-05); most need a
    /// round trip. It is part of `drainTimeout`. Default 2 s.
    public var drainNoticeTimeout: Duration

    /// Makes settings.
    public init(
        host: String = "127.0.0.1",
        port: Int = 0,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        tls: RPCServerTLS? = nil,
        limits: RPCServerLimits = RPCServerLimits(),
        strictStreamIDs: Bool = false,
        drainTimeout: Duration = .seconds(30),
        drainNoticeTimeout: Duration = .seconds(2)
    ) {
        self.host = host
        self.port = port
        self.eventLoopGroup = eventLoopGroup
        self.tls = tls
        self.limits = limits
        self.strictStreamIDs = strictStreamIDs
        self.drainTimeout = drainTimeout
        self.drainNoticeTimeout = drainNoticeTimeout
    }
}

/// Bounds on what clients may do (G6-11).
public struct RPCServerLimits: Sendable, Hashable {
    /// Connections at a time; more are closed at once. Default 256.
    public var maximumConnections = 256
    /// Calls in flight on a connection; more get RESOURCE_EXHAUSTED. Default 1,024.
    public var maximumStreams = 1_024
    /// Pairs of metadata of a call; more get RESOURCE_EXHAUSTED. Default 64.
    public var maximumMetadataPairs = 64
    /// Encoded bytes of a call's metadata; more get RESOURCE_EXHAUSTED. Default 16 KiB.
    public var maximumMetadataBytes = 16 << 10
    /// Bytes of service and method name together; more get RESOURCE_EXHAUSTED. Default 256.
    public var maximumNameBytes = 256
    /// Bytes waiting to be sent on a connection; above it nothing more is read from it. Default 8 MiB.
    public var maximumQueuedBytes = 8 << 20
    /// Bytes of messages of streams on their way to the socket of a connection; handlers that send more wait. It is
    /// less than `maximumQueuedBytes`, so that other answers do not wait long behind streams. Default 1 MiB.
    public var maximumQueuedStreamBytes = 1 << 20
    /// Time for the handshake of TLS; then the connection is closed. Default 5 s.
    public var handshakeTimeout = Duration.seconds(5)
    /// Time for a frame's header to be complete once its first byte has come; then the connection is closed.
    /// Default 10 s.
    public var headerTimeout = Duration.seconds(10)
    /// Least bytes a second of a frame's data while it is incomplete and the server reads; measured over
    /// `bodyProgressPeriod`, and then the connection is closed. 0: any pace will do. Default 1 KiB.
    public var minimumBodyBytesPerSecond = 1 << 10
    /// Over how long the pace of a frame's data is measured; a frame that is complete earlier is never too slow. Default
    /// 10 s.
    public var bodyProgressPeriod = Duration.seconds(10)
    /// How long a connection is not read because a handler leaves the messages of a stream waiting; then that stream
    /// fails with RESOURCE_EXHAUSTED (G5-05). Default 1 s, as Go has it.
    public var fullStreamPatience = Duration.seconds(1)
    /// Intervals at which a client has said to ping that may pass with nothing moving either way; then the connection is
    /// closed (G6-04). Default 2.
    public var missedPings = 2
    /// When the kernel gives a connection up.
    public var socketTimes = SocketTimes()
    /// Sizes of frames, both ways.
    public var frame = FrameLimits()

    /// The defaults.
    public init() {}

    var envelope: EnvelopeLimits {
        EnvelopeLimits(
            maximumMetadataPairs: self.maximumMetadataPairs,
            maximumMetadataBytes: self.maximumMetadataBytes,
            maximumNameBytes: self.maximumNameBytes
        )
    }
}
