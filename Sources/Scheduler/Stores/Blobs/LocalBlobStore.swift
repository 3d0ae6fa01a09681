/// Blobs as files: `blobs/<two last digits>/<key>`, staged in `staging/`.
///
/// A commit is write, sync, rename, sync of the directory: after a crash a key has all its bytes or does not exist.
public struct LocalBlobStore: BlobStore {
    private let blobs: String
    private let staging: String

    /// Opens the store in a directory and drops what a crash left in staging.
    public init(directory: String) throws(FileError) {
        self.blobs = directory + "/blobs"
        self.staging = directory + "/staging"
        try FileNames.makeDirectory(self.blobs)
        try FileNames.removeDirectory(self.staging)
        try FileNames.makeDirectory(self.staging)
    }

    /// Starts a blob in the staging directory.
    public func stage(_ name: String) throws(FileError) -> any StagedBlob {
        let path = "\(self.staging)/\(name)"
        return LocalStagedBlob(file: try PosixFile(path, .create), pathOf: self.path)
    }

    /// Opens a committed blob.
    public func open(_ key: String) throws(FileError) -> any BlobReader {
        try LocalBlobReader(path: self.path(key))
    }

    /// Removes a blob; a missing one is fine.
    public func remove(_ key: String) throws(FileError) {
        try FileNames.remove(self.path(key))
    }

    /// Keys end in random digits, so the last two spread them evenly over 256 directories.
    private func path(_ key: String) -> String {
        let stem = key.prefix { $0 != "." }
        return "\(self.blobs)/\(stem.suffix(2))/\(key)"
    }
}

private final class LocalStagedBlob: StagedBlob {
    private let file: PosixFile
    private let pathOf: @Sendable (String) -> String

    init(file: PosixFile, pathOf: @escaping @Sendable (String) -> String) {
        self.file = file
        self.pathOf = pathOf
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        try self.file.write(bytes, at: offset)
    }

    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        try self.file.read(count: count, at: offset)
    }

    func commit(as key: String) throws(FileError) {
        let target = self.pathOf(key)
        let directory = String(target[..<(target.lastIndex(of: "/") ?? target.endIndex)])
        try FileNames.makeDirectory(directory)
        try self.file.syncData()
        try FileNames.rename(self.file.path, to: target)
        try FileNames.syncDirectory(of: directory)
    }

    func abort() throws(FileError) {
        try FileNames.remove(self.file.path)
    }
}

private struct LocalBlobReader: BlobReader {
    let file: PosixFile
    let bytes: Int64

    init(path: String) throws(FileError) {
        self.file = try PosixFile(path, .read)
        self.bytes = try self.file.size()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        try self.file.read(into: buffer, at: offset)
    }

    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        try self.file.read(count: count, at: offset)
    }
}
