public import NIOCore

/// Bounds on what a client may do with a connection.
public struct HTTPLimits: Sendable, Hashable {
    /// Connections at a time; more wait in the listen queue. Default 16,384.
    public var maximumConnections = 16_384
    /// Bytes of one header field. Default 16 KiB.
    public var maximumHeaderFieldBytes = 16 << 10
    /// Bytes of all header fields of a request. Default 64 KiB.
    public var maximumHeaderBytes = 64 << 10
    /// Header fields of a request. Default 100.
    public var maximumHeaderFields = 100
    /// Time for the handshake of TLS. Default 5 s.
    public var handshakeTimeout = TimeAmount.seconds(5)
    /// Time for the next request's head to be complete. Default 60 s.
    public var headTimeout = TimeAmount.seconds(60)
    /// Longest pause between two pieces of a body while this side is ready to read. Default 60 s.
    public var bodyTimeout = TimeAmount.seconds(60)
    /// Least bytes a second of a body while this side is ready to read, over periods of `bodyRatePeriod`. Default 1 KiB; 0:
    /// any pace will do.
    public var minimumBodyBytesPerSecond = 1 << 10
    /// Over how long the pace of a body is measured.
    public var bodyRatePeriod = TimeAmount.seconds(10)
    /// Longest time without room in the socket for an answer. Default 60 s.
    public var writeTimeout = TimeAmount.seconds(60)
    /// How long a body that nobody wants is still read after the answer, so that the client sees the answer and not a
    /// reset connection. Default 5 s.
    public var lingerTimeout = TimeAmount.seconds(5)
    /// Bytes of such a body that are read. Default 64 MiB.
    public var maximumLingerBytes = 64 << 20

    /// The defaults.
    public init() {}
}
