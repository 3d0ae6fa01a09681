import NIOCore
import Settings

/// Settings of what HTTP clients may do with their connections (T-22).
enum HTTPLimitSettings {
    static let connections = SettingKey<Int>.integer(
        "http-connections",
        "most connections of clients; more wait until one ends",
        default: 16_384,
        in: 1...1 << 20
    )
    static let headTimeout = SettingKey<Duration>.duration(
        "http-head-timeout",
        "how long a connection may be idle, and the head of its next request may take",
        default: "60s",
        in: .milliseconds(10)...(.seconds(3_600))
    )
    static let bodyTimeout = SettingKey<Duration>.duration(
        "http-body-timeout",
        "longest pause in the body of a request",
        default: "60s",
        in: .milliseconds(10)...(.seconds(3_600))
    )
    static let bodyRate = SettingKey<Int>.integer(
        "http-body-rate",
        "least bytes a second of a body that takes longer than 10 s; 0: any pace will do",
        default: 1 << 10,
        in: 0...1 << 30
    )
    static let writeTimeout = SettingKey<Duration>.duration(
        "http-write-timeout",
        "longest time in which a client takes nothing of its answer",
        default: "60s",
        in: .milliseconds(10)...(.seconds(3_600))
    )

    static let all = [
        Self.connections.erased, Self.headTimeout.erased, Self.bodyTimeout.erased, Self.bodyRate.erased,
        Self.writeTimeout.erased,
    ]

    static func limits(_ values: SettingsValues) throws(SettingsError) -> HTTPLimits {
        var limits = HTTPLimits()
        limits.maximumConnections = try values.required(Self.connections)
        limits.headTimeout = TimeAmount(try values.required(Self.headTimeout))
        limits.bodyTimeout = TimeAmount(try values.required(Self.bodyTimeout))
        limits.minimumBodyBytesPerSecond = try values.required(Self.bodyRate)
        limits.writeTimeout = TimeAmount(try values.required(Self.writeTimeout))
        return limits
    }
}
