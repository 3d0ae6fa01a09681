/// Where each line's record is: 16 bytes a line in a mapped file, so that it costs page cache and no heap.
///
/// It is derived from the result log and rebuilt at every claim, so it is never synced.
public final class LocationIndex: @unchecked Sendable {
    // Guard: until the job is complete its committer alone writes and reads, under its lock; afterwards there are readers
    // only.

    /// Bytes of an entry: u32 segment, u32 length, u64 offset; a length of 0 means no record.
    private static let entryBytes = 16

    private let memory: MappedMemory

    /// Makes an empty index for `lines` lines in a new file.
    public init(path: String, lines: Int, files: any FileSystem) throws(FileError) {
        self.memory = try files.map(path, bytes: max(lines, 1) * Self.entryBytes)
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
        guard line >= 0, (line + 1) * Self.entryBytes <= self.memory.bytes else { return nil }
        return self.memory.start + line * Self.entryBytes
    }
}
