import NIOCore
import NIOPosix

/// When the kernel gives a connection up: it finds out about peers that `KeepAlive` does not watch, such as stock clients,
/// and about those that take nothing while there is much to send (G6-04, G6-11).
public struct SocketTimes: Sendable, Hashable {
    /// A peer that acknowledges nothing, or takes nothing, for this long is gone (TCP_USER_TIMEOUT). Whole milliseconds,
    /// 1 ms to 24 days. Default 20 s.
    public var unacknowledged = Duration.seconds(20)
    /// Silence before the kernel probes whether the peer is there (TCP_KEEPIDLE). Whole seconds, 1 to 32,767. Default 20 s.
    public var silence = Duration.seconds(20)
    /// Time between two probes (TCP_KEEPINTVL); how many are made follows from `unacknowledged`. Whole seconds, 1 to
    /// 32,767. Default 5 s.
    public var probeInterval = Duration.seconds(5)

    /// The defaults.
    public init() {}

    /// What to set on a socket, cut to what Linux takes: it refuses the connection otherwise.
    var options: [(option: ChannelOptions.Types.SocketOption, value: Int)] {
        [
            (SocketOptions.userTimeout, Self.whole(self.unacknowledged, .milliseconds(1), 1...Int(CInt.max))),
            (SocketOptions.keepIdle, Self.whole(self.silence, .seconds(1), Self.probeSeconds)),
            (SocketOptions.keepInterval, Self.whole(self.probeInterval, .seconds(1), Self.probeSeconds)),
        ]
    }

    private static let probeSeconds: ClosedRange<Int> = 1...32_767

    private static func whole(_ duration: Duration, _ unit: Duration, _ range: ClosedRange<Int>) -> Int {
        let count = (duration / unit).rounded()
        return count >= Double(range.upperBound) ? range.upperBound : Int(max(count, Double(range.lowerBound)))
    }
}

/// Socket options that both sides set on a connection.
enum SocketOptions {
    /// Linux' TCP_USER_TIMEOUT.
    static let userTimeout = Self.tcp(18)
    /// Linux' TCP_KEEPIDLE.
    static let keepIdle = Self.tcp(4)
    /// Linux' TCP_KEEPINTVL.
    static let keepInterval = Self.tcp(5)

    /// Linux' TCP_NOTSENT_LOWAT: what the kernel takes beyond what the network does, so that a small frame waits behind
    /// little of what was written before it.
    static let notSentLowWater = Self.tcp(25)
    static let notSentLowWaterBytes = 128 << 10

    private static func tcp(_ name: CInt) -> ChannelOptions.Types.SocketOption {
        ChannelOptions.Types.SocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: name))
    }
}

extension ServerBootstrap {
    /// Sets the times of the connections that it accepts.
    func times(_ times: SocketTimes) -> ServerBootstrap {
        times.options.reduce(self.childChannelOption(.socketOption(.so_keepalive), value: 1)) {
            $0.childChannelOption($1.option, value: $1.value)
        }
    }
}

extension ClientBootstrap {
    /// Sets the times of the connection that it opens.
    func times(_ times: SocketTimes) -> ClientBootstrap {
        times.options.reduce(self.channelOption(.socketOption(.so_keepalive), value: 1)) {
            $0.channelOption($1.option, value: $1.value)
        }
    }
}
