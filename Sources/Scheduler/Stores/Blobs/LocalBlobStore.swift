/// Blobs as files: `blobs/<two last digits>/<key>`, staged in `staging/<instance>/`.
///
/// A commit is write, sync, rename, sync of the directory: after a crash a key has all its bytes or does not exist. The
/// checksums of a blob are beside it in a file of their own and are there before it is.
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
        try LocalBlobReader(key: key, file: try self.files.open(self.path(key), .read), sums: try self.openSums(key))
    }

    private func openSums(_ key: String) throws(FileError) -> (any OpenFile)? {
        do throws(FileError) {
            return try self.files.open(self.path(BlockSums.name(of: key)), .read)
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    /// Removes a blob; a missing one is fine.
    public func remove(_ key: String) throws(FileError) {
        try self.files.remove(self.path(BlockSums.name(of: key)))
        try self.files.remove(self.path(key))
    }

    /// The keys of one of the directories that `shards` names.
    public func keys(in shard: String) throws(FileError) -> [String] {
        Array(Set(try self.files.list("\(self.blobs)/\(shard)").map(BlockSums.key(ofName:))))
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

private final class LocalStagedBlob: StagedBlob, @unchecked Sendable {
    // Guard: `StagedBlob` has one writer at a time.

    private var sums = BlockSummer()
    private let file: any OpenFile
    private let files: any FileSystem
    private let pathOf: @Sendable (String) -> String

    init(file: any OpenFile, files: any FileSystem, pathOf: @escaping @Sendable (String) -> String) {
        self.file = file
        self.files = files
        self.pathOf = pathOf
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        precondition(offset == self.sums.bytes, "a blob is written in order")
        try self.file.write(bytes, at: offset)
        self.sums.update(bytes)
    }

    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        try self.file.read(count: count, at: offset)
    }

    func sync() throws(FileError) {
        try self.file.syncData()
    }

    func commit(as key: String) throws(FileError) {
        let target = self.pathOf(key)
        let directory = String(target[..<(target.lastIndex(of: "/") ?? target.endIndex)])
        try self.files.makeDirectory(directory)
        try self.writeSums(key)
        try self.file.syncData()
        try self.files.replace(BlockSums.name(of: target), with: self.sumsPath)
        try self.files.rename(self.file.path, to: target)
    }

    private var sumsPath: String { BlockSums.name(of: self.file.path) }

    private func writeSums(_ key: String) throws(FileError) {
        // An earlier try may have found no room.
        try self.files.remove(self.sumsPath)
        let file = try self.files.open(self.sumsPath, .create)
        try file.write(self.sums.encoded(key: key), at: 0)
        try file.syncData()
    }

    func abort() throws(FileError) {
        try self.files.remove(self.sumsPath)
        try self.files.remove(self.file.path)
    }
}

private struct LocalBlobReader: BlobReader {
    let file: any OpenFile
    let bytes: Int64
    private let sums: BlockSums?

    /// - Parameter sums: the file of its checksums; nil: it has none.
    init(key: String, file: any OpenFile, sums: (any OpenFile)?) throws(FileError) {
        self.file = file
        self.bytes = try file.size()
        if let sums {
            self.sums = try BlockSums(sums, key: key, bytes: self.bytes)
        } else {
            self.sums = nil
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        let count = try self.file.read(into: buffer, at: offset)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        try self.sums?.verify(bytes, at: offset, of: self.file, size: self.bytes)
        return count
    }

    func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        let bytes = try self.file.read(count: count, at: offset)
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(FileError) in
                try self.sums?.verify(bytes, at: offset, of: self.file, size: self.bytes)
            }
        }
        try result.get()
        return bytes
    }
}
