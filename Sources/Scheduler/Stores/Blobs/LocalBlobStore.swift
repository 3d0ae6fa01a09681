/// Blobs as files: `blobs/<two last digits>/<key>`, staged in `staging/<instance>/`.
///
/// A commit is write, sync, rename, sync of the directory: after a crash a key has all its bytes or does not exist.
public struct LocalBlobStore: BlobStore {
    private let files: any FileSystem
    private let blobs: String
    private let staging: String
    private let instance: String

    /// Opens the store in a directory.
    /// - Parameter instance: names the scheduler; what it stages is kept apart from what others stage.
    public init(directory: String, instance: String, files: any FileSystem) throws(FileError) {
        self.files = files
        self.blobs = directory + "/blobs"
        self.staging = directory + "/staging"
        self.instance = instance
        try files.makeDirectory(self.blobs)
        try files.makeDirectory(self.staging)
    }

    /// Starts a blob in this scheduler's staging directory.
    public func stage(_ name: String) throws(FileError) -> any StagedBlob {
        let directory = "\(self.staging)/\(self.instance)"
        let path = "\(directory)/\(name)"
        do throws(FileError) {
            return try self.staged(path)
        } catch {
            // Not made yet, or swept by another scheduler while this one was taken for dead.
            guard error.isMissing else { throw error }
            try self.files.makeDirectory(directory)
            return try self.staged(path)
        }
    }

    private func staged(_ path: String) throws(FileError) -> any StagedBlob {
        LocalStagedBlob(file: try self.files.open(path, .create), files: self.files, pathOf: self.path)
    }

    /// Opens a committed blob.
    public func open(_ key: String) throws(FileError) -> any BlobReader {
        try LocalBlobReader(file: try self.files.open(self.path(key), .read))
    }

    /// Removes a blob; a missing one is fine.
    public func remove(_ key: String) throws(FileError) {
        try self.files.remove(self.path(key))
    }

    /// The keys of one of the directories that `shards` names.
    public func keys(in shard: String) throws(FileError) -> [String] {
        try self.files.list("\(self.blobs)/\(shard)")
    }

    /// The directories that hold blobs.
    public func shards() throws(FileError) -> [String] {
        try self.files.list(self.blobs)
    }

    /// Instances that have staged something.
    public func stagingInstances() throws(FileError) -> [String] {
        try self.files.list(self.staging)
    }

    /// Drops all that an instance has staged.
    public func dropStaging(of instance: String) throws(FileError) {
        try self.files.removeDirectory("\(self.staging)/\(instance)")
    }

    /// Keys end in random digits, so the last two spread them evenly over 256 directories.
    private func path(_ key: String) -> String {
        let stem = key.prefix { $0 != "." }
        return "\(self.blobs)/\(stem.suffix(2))/\(key)"
    }
}

private final class LocalStagedBlob: StagedBlob {
    private let file: any OpenFile
    private let files: any FileSystem
    private let pathOf: @Sendable (String) -> String

    init(file: any OpenFile, files: any FileSystem, pathOf: @escaping @Sendable (String) -> String) {
        self.file = file
        self.files = files
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
        try self.files.makeDirectory(directory)
        try self.file.syncData()
        try self.files.rename(self.file.path, to: target)
    }

    func abort() throws(FileError) {
        try self.files.remove(self.file.path)
    }
}

private struct LocalBlobReader: BlobReader {
    let file: any OpenFile
    let bytes: Int64

    init(file: any OpenFile) throws(FileError) {
        self.file = file
        self.bytes = try self.file.size()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        try self.file.read(into: buffer, at: offset)
    }

    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        try self.file.read(count: count, at: offset)
    }
}
