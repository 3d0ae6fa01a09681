/// Which lines of a file may have the same `custom_id`, by a 64-bit hash of the decoded id.
///
/// While a file comes in, its ids are written beside it, 16 bytes each (`CustomIDTable.Entry`); they are looked at
/// together when the file is whole. An upload under way therefore holds nothing for the ids that it has seen, and a check
/// takes 800 KB for a moment. The hash is seeded at random in each process, so nobody can choose ids that collide; equal
/// hashes are only a suspicion all the same, which the two lines confirm.
public struct CustomIDTable: Sendable {
    /// The id of one request: u64 hash, u32 request, u32 line of the file; little-endian.
    struct Entry: Sendable {
        static let encodedBytes = 16

        var hash: UInt64
        var request: UInt32
        var line: UInt32

        init(id: [UInt8], request: Int, line: Int) {
            var hasher = Hasher()
            id.withUnsafeBytes { hasher.combine(bytes: $0) }
            self.hash = UInt64(bitPattern: Int64(hasher.finalize()))
            self.request = UInt32(truncatingIfNeeded: request)
            self.line = UInt32(truncatingIfNeeded: line)
        }

        init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
            self.hash = bytes.littleEndian(at: offset, as: UInt64.self)
            self.request = bytes.littleEndian(at: offset + 8, as: UInt32.self)
            self.line = bytes.littleEndian(at: offset + 12, as: UInt32.self)
        }

        func append(to bytes: inout [UInt8]) {
            bytes.appendLittleEndian(self.hash)
            bytes.appendLittleEndian(self.request)
            bytes.appendLittleEndian(self.line)
        }
    }

    private var entries: [Entry] = []

    /// Room for the ids of so many bytes.
    public init(bytes: Int) {
        self.entries.reserveCapacity(bytes / Entry.encodedBytes)
    }

    /// Takes ids as they were written; whole entries.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        for offset in stride(from: 0, through: bytes.count - Entry.encodedBytes, by: Entry.encodedBytes) {
            self.entries.append(Entry(bytes, at: offset))
        }
    }

    /// The requests whose hash an earlier one has, each with the earliest such one, in line order.
    consuming func suspects() -> [InputFileIndexer.Suspect] {
        self.entries.sort { ($0.hash, $0.request) < ($1.hash, $1.request) }
        var suspects: [InputFileIndexer.Suspect] = []
        var earliest: Entry?
        for entry in self.entries {
            guard let first = earliest, first.hash == entry.hash else {
                earliest = entry
                continue
            }
            suspects.append(InputFileIndexer.Suspect(earlier: first, later: entry))
        }
        return suspects.sorted { $0.line < $1.line }
    }
}
