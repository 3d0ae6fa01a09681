import Glibc

/// Where each line's record is: 16 bytes a line in a mapped file, so that it costs page cache and no heap.
///
/// It is derived from the result log and rebuilt at every claim, so it is never synced.
public final class LocationIndex: @unchecked Sendable {
    // Guard: one writer (the job's committer) until the job is complete, readers only afterwards.

    /// Bytes of an entry: u32 segment, u32 length, u64 offset; a length of 0 means no record.
    private static let entryBytes = 16

    private let memory: UnsafeMutableRawPointer
    private let bytes: Int

    /// Makes an empty index for `lines` lines in a new file.
    public init(path: String, lines: Int) throws(FileError) {
        try FileNames.remove(path)
        let file = try PosixFile(path, .create)
        self.bytes = max(lines, 1) * Self.entryBytes
        // Reserved now: a mapped file that cannot grow later would be a SIGBUS.
        let code = posix_fallocate(file.descriptor, 0, off_t(self.bytes))
        guard code == 0 else { throw FileError("fallocate", path: path, code: code) }
        let mapped = mmap(nil, self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { throw FileError("mmap", path: path) }
        self.memory = mapped
    }

    deinit {
        munmap(self.memory, self.bytes)
    }

    /// Where a record is.
    public struct Location: Sendable, Equatable {
        /// Index in the job's list of segments.
        public var segment: Int
        /// First byte of the record.
        public var offset: Int64
        /// Bytes of the record.
        public var length: Int

        /// Makes a location.
        public init(segment: Int, offset: Int64, length: Int) {
            self.segment = segment
            self.offset = offset
            self.length = length
        }
    }

    /// Where the line's record is; nil: it has none.
    public subscript(line: Int) -> Location? {
        get {
            guard let entry = self.entry(line) else { return nil }
            let length = entry.load(fromByteOffset: 4, as: UInt32.self)
            guard length > 0 else { return nil }
            return Location(
                segment: Int(entry.load(as: UInt32.self)),
                offset: entry.load(fromByteOffset: 8, as: Int64.self),
                length: Int(length)
            )
        }
        set {
            guard let entry = self.entry(line), let newValue else { return }
            entry.storeBytes(of: UInt32(truncatingIfNeeded: newValue.segment), as: UInt32.self)
            entry.storeBytes(of: newValue.offset, toByteOffset: 8, as: Int64.self)
            entry.storeBytes(of: UInt32(truncatingIfNeeded: newValue.length), toByteOffset: 4, as: UInt32.self)
        }
    }

    private func entry(_ line: Int) -> UnsafeMutableRawPointer? {
        guard line >= 0, (line + 1) * Self.entryBytes <= self.bytes else { return nil }
        return self.memory + line * Self.entryBytes
    }
}
