import NIOCore

/// When a silent connection is taken for dead (G6-04).
public struct KeepAlive: Sendable, Hashable {
    /// After so long without a byte from the server the client sends a ping, and so on; at least 1 ms. Default 10 s.
    public var interval: Duration
    /// Pings in a row that may bring nothing; an interval after the last of them the connection is closed. Default 2.
    public var misses: Int

    /// Sets the times.
    public init(interval: Duration = .seconds(10), misses: Int = 2) {
        self.interval = interval
        self.misses = misses
    }
}
