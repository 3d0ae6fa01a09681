import SchedulerCore
import TestSupport
import Testing
@testable import SchedulerStores

/// A blob is what was written or an error (T-04).
struct BlobChecksumTests {
    private static let block = Int(BlockSums.blockBytes)
    private static let key = "file-0ab"

    let directory: TemporaryDirectory
    let store: LocalBlobStore
    private var path: String { self.directory.path + "/blobs/ab/" + Self.key }

    init() throws {
        self.directory = try TemporaryDirectory()
        self.store = try LocalBlobStore(directory: self.directory.path, instance: "a", files: LocalFileSystem())
    }

    /// Bytes that differ from block to block.
    private static func content(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
    }

    private func write(_ content: [UInt8], piece: Int = 50_000) throws {
        let staged = try self.store.stage("upload_1")
        for start in stride(from: 0, to: content.count, by: piece) {
            try content[start..<min(start + piece, content.count)].withUnsafeBytes {
                try staged.write($0, at: Int64(start))
            }
        }
        try staged.commit(as: Self.key)
    }

    private func flip(_ offset: Int, in path: String) throws {
        let file = try LocalFileSystem().open(path, .readWrite)
        var byte = try file.read(count: 1, at: Int64(offset))
        byte[0] ^= 4
        try file.write(byte, at: Int64(offset))
    }

    @Test("T-04 any range of a good blob is read", arguments: [0, 1, 65_535, 65_536, 65_537, 3 * 65_536 + 17])
    func ranges(count: Int) throws {
        let content = Self.content(count)
        try self.write(content)
        let reader = try self.store.open(Self.key)
        #expect(reader.bytes == count)
        let edges = [
            0, 1, Self.block - 1, Self.block, Self.block + 1, 2 * Self.block, count / 2, count - 1, count, count + 9,
        ]
        for start in edges where start >= 0 {
            for length in [0, 1, 100, Self.block, 2 * Self.block + 1, count] {
                let expected = Array(content.dropFirst(start).prefix(length))
                #expect(try reader.read(count: length, at: Int64(start)) == expected)
                var buffer = [UInt8](repeating: 0, count: length)
                let filled = try buffer.withUnsafeMutableBytes { try reader.read(into: $0, at: Int64(start)) }
                #expect(Array(buffer.prefix(filled)) == expected)
            }
        }
    }

    @Test("T-04 a flipped bit is named and never served, and what it did not hit is")
    func flippedBits() throws {
        let content = Self.content(3 * Self.block + 100)
        try self.write(content)
        for offset in [0, Self.block - 1, Self.block, 2 * Self.block + 77, content.count - 1] {
            try self.flip(offset, in: self.path)
            let reader = try self.store.open(Self.key)
            let start = offset / Self.block * Self.block
            let stop = min(start + Self.block, content.count)
            let damage = FileError.damaged(self.path, "is damaged in bytes \(start) to \(stop)")
            #expect(throws: damage) { try reader.read(count: content.count, at: 0) }
            // Any byte of the block, whether or not it is the flipped one.
            for byte in [start, offset, stop - 1] {
                #expect(throws: damage) { try reader.read(count: 1, at: Int64(byte)) }
            }
            for other in stride(from: 0, to: content.count, by: Self.block) where other != start {
                let expected = Array(content[other..<min(other + Self.block, content.count)])
                #expect(try reader.read(count: Self.block, at: Int64(other)) == expected)
            }
            try self.flip(offset, in: self.path)
        }
        #expect(try self.store.open(Self.key).read(count: content.count, at: 0) == content)
    }

    @Test("T-04 a flipped bit anywhere in the checksums is an error too")
    func flippedSums() throws {
        try self.write(Self.content(2 * Self.block))
        for offset in 0..<(BlockSums.headerBytes + 8) {
            try self.flip(offset, in: self.path + ".sums")
            #expect(throws: FileError.self, "byte \(offset)") {
                _ = try self.store.open(Self.key).read(count: 2 * Self.block, at: 0)
            }
            try self.flip(offset, in: self.path + ".sums")
        }
    }

    @Test("T-04 a blob that was cut short or grew, and the checksums of another one, do not pass")
    func otherBytes() throws {
        let content = Self.content(100)
        try self.write(content)
        let file = try LocalFileSystem().open(self.path, .readWrite)
        try file.write([1], at: 100)
        #expect(throws: FileError.damaged(self.path, "is damaged: it has 101 of 100 bytes")) {
            _ = try self.store.open(Self.key)
        }
        let sums = try LocalFileSystem().open(self.path + ".sums", .readWrite)
        try sums.write(BlockSums.encoded(key: "file-1ab", bytes: 101, sums: [0]), at: 0)
        #expect(throws: FileError.damaged(self.path + ".sums", "is damaged at byte 0")) {
            _ = try self.store.open(Self.key)
        }
    }

    @Test("T-10 a blob of a version that made no checksums is read; checksums of a newer version are refused by number")
    func versions() throws {
        let content = Self.content(100)
        try self.write(content)
        let sums = try LocalFileSystem().open(self.path + ".sums", .readWrite)
        let newer = BlockSums.encoded(key: Self.key, bytes: 100, sums: [0], version: 9)
        try sums.write(newer, at: 0)
        let refusal = FileError.damaged(
            self.path + ".sums",
            "has checksum format 9; this version reads up to 1"
        )
        #expect(throws: refusal) { _ = try self.store.open(Self.key) }
        try LocalFileSystem().remove(self.path + ".sums")
        #expect(try self.store.open(Self.key).read(count: 200, at: 0) == content)
    }

    @Test("I-12 the checksums go with their blob, and are listed under its key")
    func removal() throws {
        try self.write(Self.content(10))
        let files = LocalFileSystem()
        #expect(try files.list(self.directory.path + "/blobs/ab").sorted() == [Self.key, Self.key + ".sums"])
        #expect(try self.store.keys(in: "ab") == [Self.key])
        try self.store.remove(Self.key)
        #expect(try files.list(self.directory.path + "/blobs/ab") == [])
        // Left by a crash between the two renames of a commit.
        _ = try files.open(self.path + ".sums", .create)
        #expect(try self.store.keys(in: "ab") == [Self.key])
        try self.store.remove(Self.key)
        #expect(try files.list(self.directory.path + "/blobs/ab") == [])
    }

    @Test("T-33 an aborted blob leaves nothing behind")
    func abort() throws {
        let staged = try self.store.stage("upload_1")
        try Self.content(10).withUnsafeBytes { try staged.write($0, at: 0) }
        try staged.abort()
        #expect(try LocalFileSystem().list(self.directory.path + "/staging/a") == [])
    }
}
