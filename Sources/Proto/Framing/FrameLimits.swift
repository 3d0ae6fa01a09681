/// Bounds on what a peer may send in one frame.
public struct FrameLimits: Sendable, Hashable {
    /// Most data bytes of a frame; longer ones are discarded and reported (G2-02). Default 4 MiB, the protocol's own
    /// limit.
    public var maximumDataBytes: Int
    /// Most data bytes that are read and thrown away so that the connection can go on; a header that announces more
    /// ends it (G5-03). Default 64 MiB.
    public var maximumDiscardedBytes: Int

    /// Sets the bounds, in bytes.
    public init(maximumDataBytes: Int = 4 << 20, maximumDiscardedBytes: Int = 64 << 20) {
        self.maximumDataBytes = maximumDataBytes
        self.maximumDiscardedBytes = max(maximumDataBytes, maximumDiscardedBytes)
    }
}

/// Why a connection's bytes cannot be read any further.
public enum FrameError: Error, Sendable, Hashable {
    /// A header announced more than `FrameLimits.maximumDiscardedBytes`.
    case tooLargeToDiscard(FrameHeader)
}

extension FrameError: CustomStringConvertible {
    /// A sentence for the log.
    public var description: String {
        switch self {
        case .tooLargeToDiscard(let header):
            "a frame of \(header.length) bytes on stream \(header.streamID) is too large to skip; "
                + "is the peer speaking ttrpc?"
        }
    }
}
