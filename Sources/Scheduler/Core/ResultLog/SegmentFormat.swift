import Checksum

/// How one segment of a result log is laid out: its header and what its checksums cover.
///
/// Version 2, which is written: `BFRL`, u32 version, u32 epoch, u32 CRC-32C, all little-endian. That checksum and those
/// of the records begin with the job's id and the epoch, so that bytes of another job or epoch, which a crash of the
/// file system may leave in a file, do not pass. Version 1, which is still read: no checksum in the header, and those of
/// the records cover the record alone. Every later version begins with the same 16 bytes, so that a newer one can be told
/// from a damaged one.
public struct SegmentFormat: Sendable {
    /// The version that is written.
    public static let version: UInt32 = 2
    private static let magic = Array("BFRL".utf8)
    private static let version1HeaderBytes = 12
    /// Bytes of the header that is written; no header is larger.
    public static let maximumHeaderBytes = 16

    /// Epoch of the owner that writes the segment.
    public let epoch: UInt32
    /// Bytes before the first record.
    public let headerBytes: Int
    /// What the checksum of a record begins with.
    let seed: CRC32C
    private let versionRead: UInt32

    /// The format of a new segment.
    /// - Parameters:
    ///   - job: the batch's id.
    ///   - epoch: the owner's epoch.
    public init(job: String, epoch: UInt32) {
        self.epoch = epoch
        self.headerBytes = Self.maximumHeaderBytes
        self.versionRead = Self.version
        var bytes = Array(job.utf8)
        bytes.appendLittleEndian(epoch)
        var seed = CRC32C()
        bytes.withUnsafeBytes { seed.update($0) }
        self.seed = seed
    }

    private init(version1Epoch epoch: UInt32) {
        self.epoch = epoch
        self.headerBytes = Self.version1HeaderBytes
        self.versionRead = 1
        self.seed = CRC32C()
    }

    /// The encoded header of a new segment.
    public var header: [UInt8] { self.header(version: Self.version) }

    /// The header that a segment of another version begins with.
    package func header(version: UInt32) -> [UInt8] {
        var bytes = Self.magic
        bytes.appendLittleEndian(version)
        bytes.appendLittleEndian(self.epoch)
        bytes.appendLittleEndian(bytes.withUnsafeBytes(self.checksum))
        return bytes
    }

    private func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var checksum = self.seed
        checksum.update(bytes)
        return checksum.value
    }

    /// Why bytes are not the header of a segment.
    public enum Problem: Error, Sendable, Equatable {
        /// Cut short, or not a header of this job and epoch.
        case damaged
        /// Written by a newer program.
        case unknownVersion(UInt32)
    }

    /// Reads the header of a segment of this job and epoch.
    public static func read(
        _ bytes: UnsafeRawBufferPointer,
        job: String,
        epoch: UInt32
    ) throws(Problem) -> SegmentFormat {
        guard bytes.count >= self.version1HeaderBytes, bytes[0..<4].elementsEqual(self.magic) else { throw .damaged }
        let version = bytes.littleEndian(at: 4, as: UInt32.self)
        guard bytes.littleEndian(at: 8, as: UInt32.self) == epoch else { throw .damaged }
        if version == 1 { return SegmentFormat(version1Epoch: epoch) }
        let format = SegmentFormat(job: job, epoch: epoch)
        guard bytes.count >= format.headerBytes,
            format.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<12]))
                == bytes.littleEndian(at: 12, as: UInt32.self)
        else { throw .damaged }
        guard version == self.version else { throw .unknownVersion(version) }
        return format
    }
}
