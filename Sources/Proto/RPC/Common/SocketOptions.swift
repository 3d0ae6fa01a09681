import NIOCore

/// Socket options that both sides set on a connection: the kernel finds out about peers that `KeepAlive` does not watch,
/// such as stock clients, and about those that take nothing while there is much to send (G6-04).
enum SocketOptions {
    /// Linux' TCP_USER_TIMEOUT: a peer that acknowledges nothing, or takes nothing, for this long is gone.
    static let userTimeout = Self.tcp(18)
    static let userTimeoutMilliseconds = 20_000
    /// Linux' TCP_KEEPIDLE: silence before the kernel probes.
    static let keepIdle = Self.tcp(4)
    static let keepIdleSeconds = 20
    /// Linux' TCP_KEEPINTVL: time between probes. Their number does not matter beside the user timeout.
    static let keepInterval = Self.tcp(5)
    static let keepIntervalSeconds = 5

    /// Linux' TCP_NOTSENT_LOWAT: what the kernel takes beyond what the network does, so that a small frame waits behind
    /// little of what was written before it.
    static let notSentLowWater = Self.tcp(25)
    static let notSentLowWaterBytes = 128 << 10

    private static func tcp(_ name: CInt) -> ChannelOptions.Types.SocketOption {
        ChannelOptions.Types.SocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: name))
    }
}

/// Conversions that never trap.
extension TimeAmount {
    /// Longest time that is told apart from "no limit".
    static let longest = TimeAmount.hours(24 * 365)

    /// A duration cut to 0 ... one year.
    init(clamping duration: Duration) {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else {
            self = .zero
            return
        }
        guard seconds < Self.longest.nanoseconds / 1_000_000_000 else {
            self = .longest
            return
        }
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
