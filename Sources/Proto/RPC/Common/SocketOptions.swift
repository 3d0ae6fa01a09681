import NIOCore

/// Socket options that both sides set on a connection.
enum SocketOptions {
    /// Linux' TCP_USER_TIMEOUT: a peer that acknowledges nothing for this long is gone.
    static let userTimeout = ChannelOptions.Types.SocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: 18))
    static let userTimeoutMilliseconds = 20_000
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
