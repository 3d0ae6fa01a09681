#if DEBUG
    import FailPoints
#endif

/// All settings of a program.
public struct SettingsSchema: Sendable {
    /// The program's name.
    public let program: String
    /// One line that says what it does.
    public let summary: String
    let version: String
    let settings: [AnySetting]

    /// Names a program's settings. `--config`, `--help` and `--version` are every program's.
    public init(program: String, summary: String, version: String, settings: [AnySetting]) {
        self.program = program
        self.summary = summary
        self.version = version
        self.settings = settings
    }

    /// Variables of the environment that some program of Backfill knows. All share one environment, so a program
    /// refuses only what none of them knows.
    static let environmentOfAllPrograms = Self.environment.union(Self.environmentOfDebugBuilds)

    private static let environment: Set<String> = [
        "BACKFILL_ACCESS", "BACKFILL_ALLOW_NON_LOOPBACK", "BACKFILL_ALLOW_PLAINTEXT", "BACKFILL_ALLOW_PLAINTEXT_HTTP",
        "BACKFILL_API_KEY", "BACKFILL_AUDIT_LOG", "BACKFILL_CONFIG", "BACKFILL_DATA", "BACKFILL_DRAIN_TIMEOUT",
        "BACKFILL_ENGINE", "BACKFILL_ENGINE_CONCURRENCY", "BACKFILL_ENGINE_CONNECT_TIMEOUT",
        "BACKFILL_ENGINE_FIRST_BYTE_TIMEOUT", "BACKFILL_ENGINE_IDLE_TIMEOUT", "BACKFILL_ENGINE_TOTAL_TIMEOUT",
        "BACKFILL_GATEWAY", "BACKFILL_HELD_BODY_BYTES", "BACKFILL_HTTP_BODY_RATE", "BACKFILL_HTTP_BODY_TIMEOUT",
        "BACKFILL_HTTP_CONNECTIONS", "BACKFILL_HTTP_HEAD_TIMEOUT", "BACKFILL_HTTP_WRITE_TIMEOUT", "BACKFILL_KEYS",
        "BACKFILL_LEASE", "BACKFILL_LIMITS", "BACKFILL_LISTEN", "BACKFILL_LOG_LEVEL", "BACKFILL_MISSED_PINGS",
        "BACKFILL_MODEL", "BACKFILL_ONLINE_RESERVE", "BACKFILL_PING_INTERVAL", "BACKFILL_REQUEST_TIMEOUT",
        "BACKFILL_RPC_BODY_RATE", "BACKFILL_RPC_CONNECTIONS", "BACKFILL_RPC_DRAIN_NOTICE_TIMEOUT",
        "BACKFILL_RPC_DRAIN_TIMEOUT", "BACKFILL_RPC_HANDSHAKE_TIMEOUT", "BACKFILL_RPC_HEADER_TIMEOUT",
        "BACKFILL_RPC_METADATA_BYTES", "BACKFILL_RPC_METADATA_PAIRS", "BACKFILL_RPC_MISSED_PINGS",
        "BACKFILL_RPC_NAME_BYTES", "BACKFILL_RPC_PROBE_AFTER", "BACKFILL_RPC_PROBE_INTERVAL",
        "BACKFILL_RPC_QUEUED_BYTES", "BACKFILL_RPC_STREAMS", "BACKFILL_RPC_UNACKNOWLEDGED_TIMEOUT",
        "BACKFILL_SCHEDULER", "BACKFILL_SCHEDULER_PROBE_AFTER", "BACKFILL_SCHEDULER_PROBE_INTERVAL",
        "BACKFILL_SCHEDULER_UNACKNOWLEDGED_TIMEOUT",
        "BACKFILL_SCHEDULER_CONNECTIONS",
        "BACKFILL_SCHEDULER_ATTEMPTS", "BACKFILL_SCHEDULER_CA", "BACKFILL_SCHEDULER_CERTIFICATE",
        "BACKFILL_SCHEDULER_CRL", "BACKFILL_SCHEDULER_KEY", "BACKFILL_SCHEDULER_NAME", "BACKFILL_SCHEDULER_RETRY_PAUSE",
        "BACKFILL_SCHEDULER_RETRY_PAUSE_MAXIMUM", "BACKFILL_SLOTS", "BACKFILL_STREAM_KEEP_ALIVE",
        "BACKFILL_SWEEP_INTERVAL", "BACKFILL_TIME_PER_TOKEN", "BACKFILL_TIME_TO_FIRST_TOKEN",
        "BACKFILL_TLS_CERTIFICATE", "BACKFILL_TLS_CLIENT_CA", "BACKFILL_TLS_CRL", "BACKFILL_TLS_KEY",
        "BACKFILL_TLS_MINIMUM_VERSION", "BACKFILL_UPLOAD_LIFETIME", "BACKFILL_WITNESS",
    ]
    #if DEBUG
        private static let environmentOfDebugBuilds: Set<String> = [FailPointRequest.variable]
    #else
        private static let environmentOfDebugBuilds: Set<String> = []
    #endif

    func setting(_ name: String) -> AnySetting? {
        self.settings.first { $0.name == name }
    }

    /// What `--help` prints.
    public var helpText: String {
        let rows =
            self.settings.map { ("--\($0.name) \($0.placeholder)", Self.explained($0)) } + [
                ("--config FILE", "YAML file with any of these settings"),
                ("--version", "print the version"),
                ("--help", "print this"),
            ]
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { "  \($0.0)\(String(repeating: " ", count: width - $0.0.count))  \($0.1)" }
        return """
            \(self.program): \(self.summary)

            \(lines.joined(separator: "\n"))

            A flag wins over the environment (BACKFILL_ENGINE_CONCURRENCY for --engine-concurrency), that over FILE,
            that over the default.

            """
    }

    /// The settings as a table for the documentation.
    public var markdownTable: String {
        let rows = self.settings.map { setting in
            let value = setting.defaultText.map { $0.isEmpty ? "" : "`\($0)`" } ?? "required"
            let name = setting.name.replacing("-", with: "_")
            return "| `--\(setting.name)` | `\(setting.environmentName)` | `\(name)` | \(value) | \(setting.help) |"
        }
        return """
            | flag | environment | file | default | what |
            |---|---|---|---|---|
            \(rows.joined(separator: "\n"))

            """
    }

    private static func explained(_ setting: AnySetting) -> String {
        switch setting.defaultText {
        case nil: setting.help + " (required)"
        case "", "false": setting.help + (setting.isList ? " (may be repeated)" : "")
        case .some(let text): setting.help + " (default \(text))"
        }
    }
}
