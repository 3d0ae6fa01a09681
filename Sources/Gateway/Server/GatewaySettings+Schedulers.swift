import ProtoRPC
import Settings

/// Settings of how a gateway deals with its schedulers: when one that is silent is given up (G6-04), and when a call is made
/// again (G6-09).
enum SchedulerLinkSettings {
    static let pingInterval = SettingKey<Duration>.duration(
        "ping-interval",
        "silence after which a scheduler is pinged",
        default: "10s",
        in: .seconds(1)...(.seconds(600))
    )
    static let missedPings = SettingKey<Int>.integer(
        "missed-pings",
        "pings in a row that may bring nothing; an interval after the last of them the connection is given up",
        default: 2,
        in: 1...100
    )
    static let attempts = SettingKey<Int>.integer(
        "scheduler-attempts",
        "most times that a call is made that no scheduler has answered; each is asked once all the same",
        default: 4,
        in: 1...100
    )
    static let retryPause = SettingKey<Duration>.duration(
        "scheduler-retry-pause",
        "pause before a call is made again at a scheduler that has failed it; it doubles each time",
        default: "50ms",
        in: .milliseconds(1)...(.seconds(60))
    )
    static let longestRetryPause = SettingKey<Duration>.duration(
        "scheduler-retry-pause-maximum",
        "what that pause grows to",
        default: "1s",
        in: .milliseconds(1)...(.seconds(600))
    )
    static let drainTimeout = SettingKey<Duration>.duration(
        "drain-timeout",
        "how long requests under way may still take once the gateway is told to stop",
        default: "30s",
        in: .milliseconds(10)...(.seconds(86_400))
    )

    static let unacknowledged = SettingKey<Duration>.duration(
        "scheduler-unacknowledged-timeout",
        "how long a scheduler may acknowledge or take nothing of what is sent, before the kernel closes the connection",
        default: "20s",
        in: .seconds(1)...(.seconds(86_400))
    )
    static let probeAfter = SettingKey<Duration>.duration(
        "scheduler-probe-after",
        "silence of a connection after which the kernel probes whether the scheduler is there; whole seconds",
        default: "20s",
        in: .seconds(1)...(.seconds(32_767))
    )
    static let probeInterval = SettingKey<Duration>.duration(
        "scheduler-probe-interval",
        "time between two such probes; whole seconds",
        default: "5s",
        in: .seconds(1)...(.seconds(32_767))
    )

    static let all = [
        Self.pingInterval.erased, Self.missedPings.erased, Self.attempts.erased, Self.retryPause.erased,
        Self.longestRetryPause.erased, Self.drainTimeout.erased, Self.unacknowledged.erased, Self.probeAfter.erased,
        Self.probeInterval.erased,
    ]
}

extension GatewayConfiguration {
    mutating func takeSchedulerLinks(_ values: SettingsValues) throws(SettingsError) {
        self.keepAlive.interval = try values.required(SchedulerLinkSettings.pingInterval)
        self.keepAlive.misses = try values.required(SchedulerLinkSettings.missedPings)
        self.retries.maximumAttempts = try values.required(SchedulerLinkSettings.attempts)
        self.retries.backOff.minimum = try values.required(SchedulerLinkSettings.retryPause)
        self.retries.backOff.maximum = try values.required(SchedulerLinkSettings.longestRetryPause)
        self.drainTimeout = try values.required(SchedulerLinkSettings.drainTimeout)
        self.socketTimes.unacknowledged = try values.required(SchedulerLinkSettings.unacknowledged)
        self.socketTimes.silence = try values.required(SchedulerLinkSettings.probeAfter)
        self.socketTimes.probeInterval = try values.required(SchedulerLinkSettings.probeInterval)
    }
}
