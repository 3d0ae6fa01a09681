/// The first bytes of a result log segment: `BFRL`, then format version and epoch as little-endian u32.
public struct SegmentHeader: Sendable, Equatable {
    /// Bytes of the header.
    public static let bytes = 12
    /// The version this code writes and reads.
    public static let version: UInt32 = 1
    private static let magic = Array("BFRL".utf8)

    /// Epoch of the owner that writes the segment.
    public var epoch: UInt32

    /// Makes a header.
    public init(epoch: UInt32) {
        self.epoch = epoch
    }

    /// The encoded header.
    public var encoded: [UInt8] {
        var bytes = Self.magic
        bytes.appendLittleEndian(Self.version)
        bytes.appendLittleEndian(self.epoch)
        return bytes
    }

    /// Why bytes are not a segment's.
    public enum Problem: Error, Sendable, Equatable {
        /// Not a result log segment.
        case notASegment
        /// A segment of another version; this code reads `SegmentHeader.version` only.
        case unknownVersion(UInt32)
    }

    /// Reads a header.
    public init(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        guard bytes.count >= Self.bytes, bytes[0..<4].elementsEqual(Self.magic) else { throw .notASegment }
        let version = bytes.littleEndian(at: 4, as: UInt32.self)
        guard version == Self.version else { throw .unknownVersion(version) }
        self.epoch = bytes.littleEndian(at: 8, as: UInt32.self)
    }
}
