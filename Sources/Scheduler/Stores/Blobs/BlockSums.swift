import Checksum
import SchedulerCore

/// The checksums of a blob's blocks, so that a flipped bit is never served (T-04). They are in a file beside the blob:
///
///     BFSM  u32 version  u32 bytes a block  u32 0  u64 bytes of the blob  u32 0
///     u32 CRC-32C, of the blob's key and of what stands above
///     then a CRC-32C for each block, the last one of which may be shorter
///
/// All numbers are little-endian. A blob without such a file was written by a version that made none.
struct BlockSums: Sendable {
    static let version: UInt32 = 1
    /// Reading costs up to two blocks more than is asked for, and four bytes a block on disk.
    static let blockBytes: Int64 = 64 << 10
    static let headerBytes = 32
    private static let sumBytes = 4
    private static let magic = Array("BFSM".utf8)

    private let file: any OpenFile
    private let blockBytes: Int64

    /// What the file of a blob's checksums is called, beside the blob's.
    static func name(of key: String) -> String { key + Self.suffix }

    /// The key of the blob that a file in a blob directory belongs to.
    static func key(ofName name: String) -> String {
        name.hasSuffix(Self.suffix) ? String(name.dropLast(Self.suffix.count)) : name
    }

    private static let suffix = ".sums"

    /// Reads the header.
    /// - Parameters:
    ///   - key: the blob's.
    ///   - bytes: the blob's size.
    init(_ file: any OpenFile, key: String, bytes: Int64) throws(FileError) {
        let header = try file.read(count: Self.headerBytes, at: 0)
        guard header.count == Self.headerBytes, header.starts(with: Self.magic) else {
            throw .damaged(file.path, "is damaged at byte 0")
        }
        let fields = header.withUnsafeBytes { bytes in
            (
                version: bytes.littleEndian(at: 4, as: UInt32.self),
                blockBytes: bytes.littleEndian(at: 8, as: UInt32.self),
                bytes: bytes.littleEndian(at: 16, as: Int64.self),
                checksum: bytes.littleEndian(at: 28, as: UInt32.self)
            )
        }
        guard Self.checksum(key, header.dropLast(Self.sumBytes)) == fields.checksum else {
            throw .damaged(file.path, "is damaged at byte 0")
        }
        guard fields.version == Self.version else {
            throw .damaged(
                file.path,
                "has checksum format \(fields.version); this version reads up to \(Self.version)"
            )
        }
        guard fields.bytes == bytes, fields.blockBytes > 0 else {
            throw .damaged(BlockSums.key(ofName: file.path), "is damaged: it has \(bytes) of \(fields.bytes) bytes")
        }
        self.file = file
        self.blockBytes = Int64(fields.blockBytes)
    }

    /// The file of a blob's checksums.
    static func encoded(key: String, bytes: Int64, sums: [UInt32], version: UInt32 = Self.version) -> [UInt8] {
        var encoded = Self.magic
        encoded.appendLittleEndian(version)
        encoded.appendLittleEndian(UInt32(Self.blockBytes))
        encoded.appendLittleEndian(UInt32(0))
        encoded.appendLittleEndian(bytes)
        encoded.appendLittleEndian(UInt32(0))
        encoded.appendLittleEndian(Self.checksum(key, encoded[...]))
        for sum in sums { encoded.appendLittleEndian(sum) }
        return encoded
    }

    private static func checksum(_ key: String, _ header: ArraySlice<UInt8>) -> UInt32 {
        var checksum = CRC32C()
        Array(key.utf8).withUnsafeBytes { checksum.update($0) }
        header.withUnsafeBytes { checksum.update($0) }
        return checksum.value
    }

    /// Checks what was read from a blob.
    /// - Parameters:
    ///   - bytes: what was read.
    ///   - offset: where from.
    ///   - blob: gives what else is in the first and the last block.
    ///   - size: the blob's.
    func verify(
        _ bytes: UnsafeRawBufferPointer,
        at offset: Int64,
        of blob: any OpenFile,
        size: Int64
    ) throws(FileError) {
        guard !bytes.isEmpty else { return }
        let end = offset + Int64(bytes.count)
        let blocks = (offset / self.blockBytes)...((end - 1) / self.blockBytes)
        let sums = try self.sums(of: blocks)
        for block in blocks {
            let start = block * self.blockBytes
            let stop = min(start + self.blockBytes, size)
            var checksum = CRC32C()
            try self.update(&checksum, from: blob, start, min(offset, stop))
            let inside = Int(max(start, offset) - offset)..<Int(min(stop, end) - offset)
            checksum.update(UnsafeRawBufferPointer(rebasing: bytes[inside]))
            try self.update(&checksum, from: blob, max(end, start), stop)
            guard sums[Int(block - blocks.lowerBound)] == checksum.value else {
                throw .damaged(blob.path, "is damaged in bytes \(start) to \(stop)")
            }
        }
    }

    /// Takes the bytes from `start` to `end` if there are any.
    private func update(
        _ checksum: inout CRC32C,
        from blob: any OpenFile,
        _ start: Int64,
        _ end: Int64
    ) throws(FileError) {
        guard start < end else { return }
        let bytes = try blob.read(count: Int(end - start), at: start)
        bytes.withUnsafeBytes { checksum.update($0) }
    }

    private func sums(of blocks: ClosedRange<Int64>) throws(FileError) -> [UInt32] {
        let count = blocks.count
        let offset = Int64(Self.headerBytes) + blocks.lowerBound * Int64(Self.sumBytes)
        let bytes = try self.file.read(count: count * Self.sumBytes, at: offset)
        guard bytes.count == count * Self.sumBytes else { throw .damaged(self.file.path, "is too short") }
        return bytes.withUnsafeBytes { bytes in
            (0..<count).map { bytes.littleEndian(at: $0 * Self.sumBytes, as: UInt32.self) }
        }
    }
}

/// The checksums of a blob while it is written.
struct BlockSummer {
    private var sums: [UInt32] = []
    private var block = CRC32C()
    private var blockBytes: Int64 = 0
    /// Bytes taken.
    private(set) var bytes: Int64 = 0

    /// Takes the next bytes.
    mutating func update(_ next: UnsafeRawBufferPointer) {
        var rest = next[...]
        while !rest.isEmpty {
            let part = rest.prefix(Int(BlockSums.blockBytes - self.blockBytes))
            self.block.update(UnsafeRawBufferPointer(rebasing: part))
            self.blockBytes += Int64(part.count)
            rest = rest.dropFirst(part.count)
            if self.blockBytes == BlockSums.blockBytes { self.endBlock() }
        }
        self.bytes += Int64(next.count)
    }

    private mutating func endBlock() {
        self.sums.append(self.block.value)
        self.block = CRC32C()
        self.blockBytes = 0
    }

    /// The file of the checksums of what was taken.
    func encoded(key: String) -> [UInt8] {
        let last = self.blockBytes > 0 ? [self.block.value] : []
        return BlockSums.encoded(key: key, bytes: self.bytes, sums: self.sums + last)
    }
}
