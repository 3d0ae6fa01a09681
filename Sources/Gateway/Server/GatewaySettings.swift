import GatewayAccess
import ProtoRPC
public import Settings
import TenantLimits
import WatchedFiles

/// The settings of `backfill-gateway`.
public enum GatewaySettings {
    /// Most schedulers that may be named.
    private static let maximumSchedulers = 64

    static let listen = SettingKey<ListenAddress>.address(
        "listen",
        "where to serve the REST API; port 0 picks a free one",
        default: "127.0.0.1:8080"
    )
    static let scheduler = SettingKey<[RPCClient.Endpoint]>.value(
        "scheduler",
        "HOST:PORT[,HOST:PORT...]",
        "schedulers to pass requests to",
        default: "127.0.0.1:7070"
    ) { (text) throws(SettingProblem) in
        var endpoints: [RPCClient.Endpoint] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let address = try ListenAddress(parsing: String(part))
            guard address.port > 0 else { throw SettingProblem("'\(part)' has no port") }
            endpoints.append(RPCClient.Endpoint(host: address.host, port: address.port))
        }
        guard Set(endpoints).count == endpoints.count else { throw SettingProblem("a scheduler is named twice") }
        guard endpoints.count <= Self.maximumSchedulers else {
            throw SettingProblem("name at most \(Self.maximumSchedulers) schedulers")
        }
        return endpoints
    }
    static let schedulerConnections = SettingKey<Int>.integer(
        "scheduler-connections",
        "most control connections to each scheduler: one for each event loop, so that online requests change no threads",
        default: RPCClientConfiguration.maximumControlConnections,
        in: 1...RPCClientConfiguration.maximumControlConnections
    )
    static let keys = SettingKey<String>.file(
        "keys",
        "API keys that are accepted, hashed, as `backfill keys create` prints them; YAML, reloaded when it changes"
    )
    static let limits = SettingKey<String>.file(
        "limits",
        "what each tenant may ask for; needs --keys; YAML, the same as the scheduler's, reloaded when it changes"
    )
    static let auditLog = SettingKey<String>.file(
        "audit-log",
        "file to which a line of JSON is added for each request that changes something; default with --keys: the log"
    )
    static let requestTimeout = SettingKey<Duration>.duration(
        "request-timeout",
        "how long an online request may take, from the request to the end of its answer",
        default: "10m",
        in: .seconds(1)...(.seconds(86_400))
    )
    static let streamKeepAlive = SettingKey<Duration>.duration(
        "stream-keep-alive",
        "silence of a stream of events after which a comment is written to it",
        default: "15s",
        in: .seconds(1)...(.seconds(600))
    )
    static let heldBodyBytes = SettingKey<Int>.integer(
        "held-body-bytes",
        "most bytes of bodies of online requests that are held at a time; more are refused",
        default: 256 << 20,
        in: (64 << 20)...(1 << 40)
    )
    static let allowNonLoopback = SettingKey<Bool>.flag(
        "allow-non-loopback",
        "serve addresses that other machines reach, without keys"
    )
    static let allowPlaintextHTTP = SettingKey<Bool>.flag(
        "allow-plaintext-http",
        "take keys over HTTP without TLS on addresses that other machines reach, such as behind a proxy that does TLS"
    )

    /// All of them.
    public static let schema = SettingsSchema(
        program: "backfill-gateway",
        summary: "serves the OpenAI REST API for batches and files and passes requests to schedulers",
        version: GatewayApplication.version,
        settings: [
            GatewaySettings.listen.erased, GatewaySettings.scheduler.erased,
            GatewaySettings.requestTimeout.erased, GatewaySettings.streamKeepAlive.erased,
            GatewaySettings.heldBodyBytes.erased, GatewaySettings.schedulerConnections.erased,
            GatewaySettings.keys.erased, GatewaySettings.limits.erased, GatewaySettings.auditLog.erased,
            GatewaySettings.allowNonLoopback.erased,
            GatewaySettings.allowPlaintextHTTP.erased,
        ] + GatewaySettings.tls + SchedulerLinkSettings.all + HTTPLimitSettings.all + [ProgramStart.logLevel.erased]
    )
}

extension GatewayConfiguration {
    /// Takes the settings that were read.
    ///
    /// - Throws: `refused` for an address that others reach, unless that is asked for.
    public init(_ values: SettingsValues) throws(SettingsError) {
        self.init(
            listen: try values.required(GatewaySettings.listen),
            schedulers: try values.required(GatewaySettings.scheduler)
        )
        try self.takeSchedulerLinks(values)
        self.http = try HTTPLimitSettings.limits(values)
        self.requestTimeout = try values.required(GatewaySettings.requestTimeout)
        self.streamKeepAlive = try values.required(GatewaySettings.streamKeepAlive)
        self.maximumHeldBodyBytes = try values.required(GatewaySettings.heldBodyBytes)
        self.schedulerConnections = try values.required(GatewaySettings.schedulerConnections)
        try self.takeTLS(values)
        try self.takeSchedulerTLS(values)
        self.auditLog = values[GatewaySettings.auditLog]
        try self.takeKeys(values)
    }

    private mutating func takeKeys(_ values: SettingsValues) throws(SettingsError) {
        if let path = values[GatewaySettings.keys] {
            self.keys = try WatchedFile(path: path) { (text, path) throws(SettingsError) in
                try KeyTable(text, path: path)
            }
        }
        if let path = values[GatewaySettings.limits] {
            guard self.keys != nil else { throw .refused("--limits needs --keys: without keys there are no tenants") }
            self.limits = try WatchedFile(path: path) { (text, path) throws(SettingsError) in
                try LimitsTable(text, path: path)
            }
        }
        guard !self.listen.isLoopback else { return }
        if self.keys == nil {
            guard values[GatewaySettings.allowNonLoopback] == true else {
                throw .refused(
                    "--listen \(self.listen): without --keys only loopback addresses are served; "
                        + "give --allow-non-loopback to serve it all the same"
                )
            }
        } else if self.tls == nil {
            guard values[GatewaySettings.allowPlaintextHTTP] == true else {
                throw .refused(
                    "--listen \(self.listen): without TLS whoever is on the way reads the keys; give --tls-certificate "
                        + "and --tls-key, or --allow-plaintext-http"
                )
            }
        }
    }
}
