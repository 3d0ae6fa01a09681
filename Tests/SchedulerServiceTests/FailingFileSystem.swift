import Glibc
import SchedulerStores
import Synchronization

/// The machine's files, of which one sync or one write fails.
final class FailingFileSystem: FileSystem {
    private let real = LocalFileSystem()
    private let calls = Atomic<Int>(0)
    private let kind: Kind
    private let path = Mutex("")
    private let failing: Int
    private let code: Int32

    enum Kind {
        /// Of a file or a directory.
        case sync
        case write
    }

    /// - Parameters:
    ///   - failing: the number of the call of this kind that fails; from 1.
    ///   - code: its `errno`.
    init(failing: Int, _ kind: Kind = .sync, code: Int32 = EIO) {
        self.kind = kind
        self.failing = failing
        self.code = code
    }

    /// What the call that fails was about; empty until then.
    var failed: String { self.path.withLock { $0 } }

    /// Whether the call that fails has been reached.
    var hasFailed: Bool { self.calls.load(ordering: .relaxed) >= self.failing }

    func perform(
        _ kind: Kind,
        _ operation: String,
        _ path: String,
        _ real: () throws(FileError) -> Void
    ) throws(FileError) {
        guard kind != self.kind || self.calls.add(1, ordering: .relaxed).newValue != self.failing else {
            self.path.withLock { $0 = path }
            throw FileError(operation, path: path, code: self.code)
        }
        try real()
    }

    func open(_ path: String, _ mode: FileMode) throws(FileError) -> any OpenFile {
        FailingFile(file: try self.real.open(path, mode), system: self)
    }

    func map(_ path: String, bytes: Int) throws(FileError) -> MappedMemory { try self.real.map(path, bytes: bytes) }

    func replace(_ target: String, with path: String) throws(FileError) { try self.real.replace(target, with: path) }

    func remove(_ path: String) throws(FileError) { try self.real.remove(path) }

    func makeDirectory(_ path: String) throws(FileError) {
        try self.real.makeDirectory(path)
        try self.syncDirectory(of: path)
    }

    func removeEmptyDirectory(_ path: String) throws(FileError) { try self.real.removeEmptyDirectory(path) }

    func list(_ path: String) throws(FileError) -> [String] { try self.real.list(path) }

    func syncDirectory(of path: String) throws(FileError) {
        try self.perform(.sync, "fsync", path) { () throws(FileError) in try self.real.syncDirectory(of: path) }
    }

    func lock(_ path: String) throws(FileError) -> (any FileLock)? { try self.real.lock(path) }
}

private final class FailingFile: OpenFile {
    private let file: any OpenFile
    private let system: FailingFileSystem

    init(file: any OpenFile, system: FailingFileSystem) {
        self.file = file
        self.system = system
    }

    var path: String { self.file.path }

    func size() throws(FileError) -> Int64 { try self.file.size() }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        try self.system.perform(.write, "write", self.path) { () throws(FileError) in
            try self.file.write(bytes, at: offset)
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        try self.file.read(into: buffer, at: offset)
    }

    func syncData() throws(FileError) {
        try self.system.perform(.sync, "fdatasync", self.path) { () throws(FileError) in try self.file.syncData() }
    }
}
