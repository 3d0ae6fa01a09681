public import ProtoRPC
public import ProtoTLS
public import SchedulerCore
public import SchedulerEngines
public import Settings
public import TenantLimits
public import WatchedFiles

/// Everything a scheduler is told.
public struct SchedulerConfiguration: Sendable {
    /// Where to listen for RPC; port 0 picks a free one.
    public var listen = ListenAddress(host: "127.0.0.1", port: 0)
    /// Certificates of the RPC server; nil: without TLS, and every client may do everything.
    public var tls: TLSConfiguration?
    /// What client certificates may do.
    public var access = RPCAccessPolicy.standard
    /// What clients of the RPC may do.
    public var rpcLimits = RPCServerLimits()
    /// How long calls under way may still take once the scheduler is told to stop, 10 ms to 24 h. Default 30 s.
    public var rpcDrainTimeout = Duration.seconds(30)
    /// How long of that what clients send before they know is accepted, 10 ms to 1 h (G6-05). Default 2 s.
    public var rpcDrainNoticeTimeout = Duration.seconds(2)
    /// The limits of tenants, in a file that may change; nil: none.
    public var limits: WatchedFile<LimitsTable>?
    /// Where records, files and result logs live.
    public var dataDirectory: String
    /// Engines that exist.
    public var engines: [EngineAddress] = []
    /// Most requests in flight at one engine.
    public var engineConcurrency = 256
    /// Percent of these that are kept free for online requests while there are such; 0 to 90.
    public var onlineReserve = 25
    /// How long engines may take.
    public var engineLimits = EngineLimits()
    /// Which attempts are repeated.
    public var retry = RetryPolicy()
    /// Most batches that run at the same time; others wait their turn, oldest first.
    public var maximumRunningBatches = 128
    /// How long leases last.
    public var lease = LeaseTerms()
    /// Time between two sweeps over everything; bytes without a record go at the second one that finds them.
    public var sweepInterval = Duration.seconds(600)
    /// How long an upload in parts takes parts and may be completed (A8-01).
    public var uploadLifetime = Duration.seconds(UploadRecord.lifetimeSeconds)
    /// How long a cancelled or expired batch waits for the answers that are under way.
    public var drainGrace = Duration.seconds(2)

    /// The documented defaults for a data directory.
    public init(dataDirectory: String) {
        self.dataDirectory = dataDirectory
    }
}
