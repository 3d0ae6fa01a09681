public import SchedulerStores

/// The machine's files, with a look at each write and sync before it happens.
public struct ObservedFileSystem: FileSystem {
    /// What is about to happen.
    public enum Operation: String, Sendable {
        /// Of a file.
        case write
        /// Of a file's bytes.
        case syncData = "fdatasync"
        /// Of a directory's entries.
        case syncDirectory = "fsync"
    }

    /// Sees an operation and its path; what it throws, the operation fails with.
    public typealias Observer = @Sendable (Operation, _ path: String) throws(FileError) -> Void

    private let files = LocalFileSystem()
    private let observer: Observer

    /// Looks at files with `observer`.
    public init(_ observer: @escaping Observer) {
        self.observer = observer
    }

    /// Opens a file whose writes and syncs are seen.
    public func open(_ path: String, _ mode: FileMode) throws(FileError) -> any OpenFile {
        ObservedFile(file: try self.files.open(path, mode), observer: self.observer)
    }

    /// As the machine does it.
    public func map(_ path: String, bytes: Int) throws(FileError) -> MappedMemory {
        try self.files.map(path, bytes: bytes)
    }

    /// As the machine does it.
    public func replace(_ target: String, with path: String) throws(FileError) {
        try self.files.replace(target, with: path)
    }

    /// As the machine does it.
    public func remove(_ path: String) throws(FileError) { try self.files.remove(path) }

    /// Makes a directory; the sync of the one above is seen.
    public func makeDirectory(_ path: String) throws(FileError) {
        try self.files.makeDirectory(path)
        try self.observer(.syncDirectory, path)
    }

    /// As the machine does it.
    public func removeEmptyDirectory(_ path: String) throws(FileError) { try self.files.removeEmptyDirectory(path) }

    /// As the machine does it.
    public func list(_ path: String) throws(FileError) -> [String] { try self.files.list(path) }

    /// Syncs a directory's entries; seen.
    public func syncDirectory(of path: String) throws(FileError) {
        try self.observer(.syncDirectory, path)
        try self.files.syncDirectory(of: path)
    }

    /// As the machine does it.
    public func lock(_ path: String) throws(FileError) -> (any FileLock)? { try self.files.lock(path) }
}

private final class ObservedFile: OpenFile {
    private let file: any OpenFile
    private let observer: ObservedFileSystem.Observer

    init(file: any OpenFile, observer: @escaping ObservedFileSystem.Observer) {
        self.file = file
        self.observer = observer
    }

    var path: String { self.file.path }

    func size() throws(FileError) -> Int64 { try self.file.size() }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        try self.observer(.write, self.path)
        try self.file.write(bytes, at: offset)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        try self.file.read(into: buffer, at: offset)
    }

    func syncData() throws(FileError) {
        try self.observer(.syncData, self.path)
        try self.file.syncData()
    }
}
