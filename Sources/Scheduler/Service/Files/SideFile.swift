import SchedulerCore
import SchedulerStores

/// A file that is written beside an upload while it comes in; it is made with its first bytes. Blocking.
final class SideFile: @unchecked Sendable {
    // Guard: the upload's writer, which `Upload` lets one call at a time into.

    private static let windowBytes = 64 << 10

    private let name: String
    private let blobs: any BlobStore
    private var staged: (any StagedBlob)?
    private var bytes: Int64 = 0
    /// What a failure, such as a full disk, kept from being written.
    private var unwritten: [UInt8] = []

    init(name: String, blobs: any BlobStore) {
        self.name = name
        self.blobs = blobs
    }

    /// Adds bytes. After a failure they are written by the next call.
    func write(_ bytes: [UInt8]) throws {
        self.unwritten += bytes
        guard !self.unwritten.isEmpty else { return }
        let staged = try self.staged ?? self.blobs.stage(self.name)
        self.staged = staged
        try self.unwritten.withUnsafeBytes { try staged.write($0, at: self.bytes) }
        self.bytes += Int64(self.unwritten.count)
        self.unwritten = []
    }

    /// Reads back what was written.
    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        try self.staged?.read(count: count, at: offset) ?? []
    }

    /// What was written, as a table.
    func table() throws(FileError) -> CustomIDTable {
        var table = CustomIDTable(bytes: Int(self.bytes))
        var offset: Int64 = 0
        while offset < self.bytes {
            let bytes = try self.read(count: Int(min(Int64(Self.windowBytes), self.bytes - offset)), at: offset)
            guard !bytes.isEmpty else { break }
            bytes.withUnsafeBytes { table.append($0) }
            offset += Int64(bytes.count)
        }
        return table
    }

    func commit(as key: String) throws(FileError) {
        try self.staged?.commit(as: key)
    }

    func abort() throws(FileError) {
        try self.staged?.abort()
    }
}
