import SchedulerCore
import SchedulerStores

/// Reads a file's lines in order through its plan, a page at a time. Blocking.
struct PlanReader: Sendable {
    /// Most lines of a page.
    static let pageLines = 512
    /// Bytes after which a page ends; one line may be longer.
    static let pageBytes = 512 << 10

    let input: any BlobReader
    let plan: any BlobReader
    /// Lines of the file.
    let lines: Int

    /// Lines that lie behind each other in the file.
    struct Page {
        /// Number of the first line.
        let first: Int
        /// One entry a line.
        let entries: [PlanEntry]
        /// The file's bytes from the first line's start.
        let bytes: [UInt8]
        let start: UInt64

        /// Calls `body` with each line's number, entry and bytes.
        func forEachLine(_ body: (Int, PlanEntry, UnsafeRawBufferPointer) throws -> Void) throws {
            try self.bytes.withUnsafeBytes { bytes in
                for (position, entry) in self.entries.enumerated() {
                    let offset = Int(entry.offset - self.start)
                    let line = bytes[offset..<(offset + Int(entry.length))]
                    try body(self.first + position, entry, UnsafeRawBufferPointer(rebasing: line))
                }
            }
        }
    }

    /// The page that starts at line `first`; nil behind the last line.
    func page(from first: Int) throws -> Page? {
        var entries = try self.entries(from: first)
        guard let start = entries.first?.offset else { return nil }
        var end = start
        var count = 0
        for entry in entries {
            let entryEnd = entry.offset + UInt64(entry.length)
            guard entry.offset >= end, count == 0 || entryEnd - start <= UInt64(Self.pageBytes) else { break }
            end = entryEnd
            count += 1
        }
        entries.removeLast(entries.count - count)
        guard end <= UInt64(self.input.bytes) else { throw UnreadableInput("its plan points behind its end") }
        let bytes = try self.input.read(count: Int(end - start), at: Int64(start))
        guard bytes.count == Int(end - start) else { throw UnreadableInput("it is too short") }
        return Page(first: first, entries: entries, bytes: bytes, start: start)
    }

    private func entries(from first: Int) throws -> [PlanEntry] {
        let count = min(Self.pageLines, self.lines - first)
        guard count > 0 else { return [] }
        let offset = Int64(PlanHeader.encodedBytes + first * PlanEntry.encodedBytes)
        let bytes = try self.plan.read(count: count * PlanEntry.encodedBytes, at: offset)
        guard bytes.count == count * PlanEntry.encodedBytes else {
            throw UnreadableInput("its plan is too short")
        }
        return try bytes.withUnsafeBytes { bytes in
            try (0..<count).map { index in
                let start = index * PlanEntry.encodedBytes
                let entry = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + PlanEntry.encodedBytes)])
                return try PlanEntry(entry)
            }
        }
    }
}

/// The input file or its plan cannot be read: no line of it can be told from another any more.
struct UnreadableInput: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
