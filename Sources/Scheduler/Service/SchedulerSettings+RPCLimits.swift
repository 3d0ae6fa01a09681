import ProtoRPC
import Settings

/// Settings of what clients of the RPC may do (G6-11).
enum RPCLimitSettings {
    static let connections = SettingKey<Int>.integer(
        "rpc-connections",
        "most connections of clients; more are closed at once",
        default: 256,
        in: 1...65_536
    )
    static let streams = SettingKey<Int>.integer(
        "rpc-streams",
        "most calls in flight on a connection; more are refused",
        default: 1_024,
        in: 1...65_536
    )
    static let metadataPairs = SettingKey<Int>.integer(
        "rpc-metadata-pairs",
        "most pairs of metadata of a call",
        default: 64,
        in: 4...4_096
    )
    static let metadataBytes = SettingKey<Int>.integer(
        "rpc-metadata-bytes",
        "most bytes of metadata of a call",
        default: 16 << 10,
        in: 1_024...1 << 20
    )
    static let nameBytes = SettingKey<Int>.integer(
        "rpc-name-bytes",
        "most bytes of the names of service and method of a call",
        default: 256,
        in: 64...4_096
    )
    static let queuedBytes = SettingKey<Int>.integer(
        "rpc-queued-bytes",
        "bytes that wait to be sent on a connection before nothing more is read from it",
        default: 8 << 20,
        in: 1 << 20...1 << 30
    )
    static let handshakeTimeout = SettingKey<Duration>.duration(
        "rpc-handshake-timeout",
        "how long the handshake of TLS may take",
        default: "5s",
        in: .milliseconds(10)...(.seconds(3_600))
    )
    static let headerTimeout = SettingKey<Duration>.duration(
        "rpc-header-timeout",
        "how long the header of a frame may take once its first byte has come",
        default: "10s",
        in: .milliseconds(10)...(.seconds(3_600))
    )
    static let bodyRate = SettingKey<Int>.integer(
        "rpc-body-rate",
        "least bytes a second of a frame that takes longer than 10 s; 0: any pace will do",
        default: 1 << 10,
        in: 0...1 << 30
    )
    static let missedPings = SettingKey<Int>.integer(
        "rpc-missed-pings",
        "intervals at which a client said to ping that may pass with nothing moving, before its connection is closed",
        default: 2,
        in: 0...1_000
    )

    static let unacknowledged = SettingKey<Duration>.duration(
        "rpc-unacknowledged-timeout",
        "how long a client may acknowledge or take nothing of what is sent, before the kernel closes its connection",
        default: "20s",
        in: .seconds(1)...(.seconds(86_400))
    )
    static let probeAfter = SettingKey<Duration>.duration(
        "rpc-probe-after",
        "silence of a connection after which the kernel probes whether the client is there; whole seconds",
        default: "20s",
        in: .seconds(1)...(.seconds(32_767))
    )
    static let probeInterval = SettingKey<Duration>.duration(
        "rpc-probe-interval",
        "time between two such probes; whole seconds",
        default: "5s",
        in: .seconds(1)...(.seconds(32_767))
    )

    static let all = [
        Self.connections.erased, Self.streams.erased, Self.metadataPairs.erased, Self.metadataBytes.erased,
        Self.nameBytes.erased, Self.queuedBytes.erased, Self.handshakeTimeout.erased, Self.headerTimeout.erased,
        Self.bodyRate.erased, Self.missedPings.erased, Self.unacknowledged.erased, Self.probeAfter.erased,
        Self.probeInterval.erased,
    ]

    static func limits(_ values: SettingsValues) throws(SettingsError) -> RPCServerLimits {
        var limits = RPCServerLimits()
        limits.maximumConnections = try values.required(Self.connections)
        limits.maximumStreams = try values.required(Self.streams)
        limits.maximumMetadataPairs = try values.required(Self.metadataPairs)
        limits.maximumMetadataBytes = try values.required(Self.metadataBytes)
        limits.maximumNameBytes = try values.required(Self.nameBytes)
        limits.maximumQueuedBytes = try values.required(Self.queuedBytes)
        limits.handshakeTimeout = try values.required(Self.handshakeTimeout)
        limits.headerTimeout = try values.required(Self.headerTimeout)
        limits.minimumBodyBytesPerSecond = try values.required(Self.bodyRate)
        limits.missedPings = try values.required(Self.missedPings)
        limits.socketTimes.unacknowledged = try values.required(Self.unacknowledged)
        limits.socketTimes.silence = try values.required(Self.probeAfter)
        limits.socketTimes.probeInterval = try values.required(Self.probeInterval)
        return limits
    }
}
