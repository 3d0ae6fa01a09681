import Settings

/// Settings of how a scheduler takes its leave of the clients of its RPC (G6-05).
enum RPCDrainSettings {
    static let timeout = SettingKey<Duration>.duration(
        "rpc-drain-timeout",
        "how long calls under way may still take once the scheduler is told to stop",
        default: "30s",
        in: .milliseconds(10)...(.seconds(86_400))
    )
    static let noticeTimeout = SettingKey<Duration>.duration(
        "rpc-drain-notice-timeout",
        "how long of that what clients send before they know is accepted; those that answer the notice need a round trip",
        default: "2s",
        in: .milliseconds(10)...(.seconds(3_600))
    )

    static let all = [Self.timeout.erased, Self.noticeTimeout.erased]
}

extension SchedulerConfiguration {
    mutating func takeDrain(_ values: SettingsValues) throws(SettingsError) {
        self.rpcDrainTimeout = try values.required(RPCDrainSettings.timeout)
        self.rpcDrainNoticeTimeout = try values.required(RPCDrainSettings.noticeTimeout)
    }
}
