import SchedulerStores
import Synchronization

/// Which files were synced.
final class SyncCounter: Sendable {
    private let state = Mutex<[String]>([])

    var paths: [String] { self.state.withLock { $0 } }

    func note(_ path: String) { self.state.withLock { $0.append(path) } }
}

/// The machine's files, with a record of what was synced.
struct CountingFileSystem: FileSystem {
    let syncs: SyncCounter
    private let files = LocalFileSystem()

    init(syncs: SyncCounter) {
        self.syncs = syncs
    }

    func open(_ path: String, _ mode: FileMode) throws(FileError) -> any OpenFile {
        CountingFile(file: try self.files.open(path, mode), syncs: self.syncs)
    }

    func map(_ path: String, bytes: Int) throws(FileError) -> MappedMemory { try self.files.map(path, bytes: bytes) }
    func replace(_ target: String, with path: String) throws(FileError) { try self.files.replace(target, with: path) }
    func remove(_ path: String) throws(FileError) { try self.files.remove(path) }
    func makeDirectory(_ path: String) throws(FileError) { try self.files.makeDirectory(path) }
    func removeEmptyDirectory(_ path: String) throws(FileError) { try self.files.removeEmptyDirectory(path) }
    func list(_ path: String) throws(FileError) -> [String] { try self.files.list(path) }
    func syncDirectory(of path: String) throws(FileError) { try self.files.syncDirectory(of: path) }
    func lock(_ path: String) throws(FileError) -> (any FileLock)? { try self.files.lock(path) }
}

private final class CountingFile: OpenFile {
    private let file: any OpenFile
    private let syncs: SyncCounter

    init(file: any OpenFile, syncs: SyncCounter) {
        self.file = file
        self.syncs = syncs
    }

    var path: String { self.file.path }
    func size() throws(FileError) -> Int64 { try self.file.size() }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        try self.file.write(bytes, at: offset)
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        try self.file.read(into: buffer, at: offset)
    }
    func syncData() throws(FileError) {
        self.syncs.note(self.path)
        try self.file.syncData()
    }
}
