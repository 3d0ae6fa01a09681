public import NIOCore

/// Bounds on a form (T-35).
public struct MultipartLimits: Sendable, Hashable {
    /// Parts of a form. Default 100.
    public var maximumParts = 100
    /// Bytes of one header field of a part. Default 8 KiB.
    public var maximumHeaderFieldBytes = 8 << 10
    /// Bytes of all header fields of a part. Default 16 KiB.
    public var maximumHeaderBytes = 16 << 10
    /// Bytes before the first and after the last boundary. Default 8 KiB.
    public var maximumOutsideBytes = 8 << 10
    /// White space behind a boundary. Default 64.
    public var maximumPaddingBytes = 64

    /// The defaults.
    public init() {}
}

/// What a form is made of, in order.
public enum MultipartEvent: Sendable, Equatable {
    /// A part begins.
    case part(MultipartPartHead)
    /// Some of its content; never empty.
    case content(ByteBuffer)
    /// The part is complete.
    case partEnd
    /// The form is complete; nothing follows.
    case end
}
