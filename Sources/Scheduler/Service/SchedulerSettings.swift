import CurlHTTP
import SchedulerCore
import SchedulerEngines
public import Settings
import TenantLimits
import WatchedFiles

/// The settings of `backfill-scheduler`.
public enum SchedulerSettings {
    static let listen = SettingKey<ListenAddress>.address(
        "listen",
        "where to serve RPC; port 0 picks a free one",
        default: "127.0.0.1:7070"
    )
    static let data = SettingKey<String>.text("data", "DIR", "directory for records, files and results", default: nil)
    static let engine = SettingKey<[EngineAddress]>.list(
        "engine",
        "[MODEL=]URL",
        "an engine to send requests to; without MODEL it serves the models it lists itself"
    ) { (text) throws(SettingProblem) in
        guard let address = EngineAddress(parsing: text) else {
            throw SettingProblem("'\(text)' is not [MODEL=]URL, such as http://127.0.0.1:8000")
        }
        return address
    }
    static let engineConcurrency = SettingKey<Int>.integer(
        "engine-concurrency",
        "most requests in flight at one engine",
        default: 256,
        in: 1...16_384
    )
    static let onlineReserve = SettingKey<Int>.integer(
        "online-reserve",
        "percent of an engine's places that batches leave free while there are online requests, and a minute longer",
        default: 25,
        in: 0...90
    )
    static let engineConnectTimeout = Self.engineTimeout("connect", "for a connection", default: "5s")
    static let engineFirstByteTimeout = Self.engineTimeout(
        "first-byte",
        "for the first byte of an answer",
        default: "10m"
    )
    static let engineIdleTimeout = Self.engineTimeout("idle", "between two bytes of an answer", default: "2m")
    static let engineTotalTimeout = Self.engineTimeout("total", "for a whole request", default: "1h")
    static let lease = SettingKey<Duration>.duration(
        "lease",
        "how long a scheduler that does not answer keeps its batches; renewed at 30 % of it, sends stop at 70 %",
        default: "10s",
        in: .seconds(1)...(.seconds(600))
    )
    static let sweepInterval = SettingKey<Duration>.duration(
        "sweep-interval",
        "time between two sweeps for expired files and bytes that nobody needs",
        default: "10m",
        in: .seconds(1)...(.seconds(86_400))
    )
    static let uploadLifetime = SettingKey<Duration>.duration(
        "upload-lifetime",
        "how long an upload in parts takes parts and may be completed",
        default: "1h",
        in: .seconds(1)...(.seconds(604_800))
    )

    static let limits = SettingKey<String>.file(
        "limits",
        "what each tenant may store and enqueue; YAML, the same as the gateways', reloaded when it changes"
    )

    private static func engineTimeout(_ name: String, _ what: String, default: String) -> SettingKey<Duration> {
        .duration(
            "engine-\(name)-timeout",
            "how long an engine may take \(what)",
            default: `default`,
            in: .seconds(1)...(.seconds(86_400))
        )
    }

    /// All of them.
    public static let schema = SettingsSchema(
        program: "backfill-scheduler",
        summary: "runs batches on inference engines and keeps their state",
        version: SchedulerApplication.version,
        settings: [
            SchedulerSettings.listen.erased, SchedulerSettings.data.erased, SchedulerSettings.engine.erased,
            SchedulerSettings.engineConcurrency.erased, SchedulerSettings.onlineReserve.erased,
            SchedulerSettings.engineConnectTimeout.erased, SchedulerSettings.engineFirstByteTimeout.erased,
            SchedulerSettings.engineIdleTimeout.erased,
            SchedulerSettings.engineTotalTimeout.erased, SchedulerSettings.lease.erased,
            SchedulerSettings.sweepInterval.erased, SchedulerSettings.limits.erased,
            SchedulerSettings.uploadLifetime.erased,
        ] + SchedulerSettings.tls + RPCLimitSettings.all + RPCDrainSettings.all + [ProgramStart.logLevel.erased]
    )
}

extension SchedulerConfiguration {
    /// Takes the settings that were read.
    public init(_ values: SettingsValues) throws(SettingsError) {
        self.init(dataDirectory: try values.required(SchedulerSettings.data))
        self.listen = try values.required(SchedulerSettings.listen)
        self.engines = values[SchedulerSettings.engine] ?? []
        self.engineConcurrency = try values.required(SchedulerSettings.engineConcurrency)
        self.onlineReserve = try values.required(SchedulerSettings.onlineReserve)
        self.engineLimits.transfer = TransferLimits(
            connect: try values.required(SchedulerSettings.engineConnectTimeout),
            firstByte: try values.required(SchedulerSettings.engineFirstByteTimeout),
            betweenBytes: try values.required(SchedulerSettings.engineIdleTimeout),
            total: try values.required(SchedulerSettings.engineTotalTimeout)
        )
        self.lease = LeaseTerms(lasting: try values.required(SchedulerSettings.lease))
        self.sweepInterval = try values.required(SchedulerSettings.sweepInterval)
        self.uploadLifetime = try values.required(SchedulerSettings.uploadLifetime)
        if let path = values[SchedulerSettings.limits] {
            self.limits = try WatchedFile(path: path) { (text, path) throws(SettingsError) in
                try LimitsTable(text, path: path)
            }
        }
        self.rpcLimits = try RPCLimitSettings.limits(values)
        try self.takeDrain(values)
        try self.takeTLS(values)
    }
}
