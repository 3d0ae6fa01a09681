import Glibc
import SchedulerStores
import TestSupport

/// A disk with a page cache: what was not synced is gone after a power loss, in whole or in part.
///
/// Files and names are apart, as in a file system: the bytes of a file are made durable by syncing it, its name by syncing
/// its directory.
final class SimulatedDisk: @unchecked Sendable {
    // Guard: only the main thread touches it.

    final class File {
        var bytes: [UInt8] = []
        /// What a power loss leaves for certain.
        var durable: [UInt8] = []
        /// Writes since the last sync, in order.
        var unsynced: [(offset: Int, bytes: [UInt8])] = []
        /// What it held before a bit of it was flipped; nil: none was.
        var undamaged: [UInt8]?
    }

    enum Node {
        case file(File)
        case directory
    }

    let world: World
    /// Everything by its path, and the names in each directory.
    private var nodes: [String: Node] = ["": .directory]
    private var entries: [String: Set<String>] = [:]
    /// Names as the disk holds them, by directory.
    private var durableNames: [String: [String: Node]] = [:]
    private var locks: [String: SimulatedProcess] = [:]
    var isFull = false

    init(world: World) {
        self.world = world
    }

    func node(_ path: String) -> Node? { self.nodes[path] }

    func set(_ node: Node?, at path: String) {
        self.nodes[path] = node
        let directory = Self.parent(path)
        let name = String(path.dropFirst(directory.count + 1))
        if node == nil {
            self.entries[directory]?.remove(name)
        } else {
            self.entries[directory, default: []].insert(name)
        }
    }

    func names(in directory: String) -> [String] { (self.entries[directory] ?? []).sorted() }

    func sync(_ file: File) {
        file.durable = file.bytes
        file.unsynced = []
    }

    func syncNames(in directory: String) {
        var names: [String: Node] = [:]
        for name in self.names(in: directory) { names[name] = self.nodes["\(directory)/\(name)"] }
        self.durableNames[directory] = names
    }

    func lock(_ path: String, _ process: SimulatedProcess) -> Bool {
        if let owner = self.locks[path], !owner.isDead { return owner === process }
        self.locks[path] = process
        return true
    }

    static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    /// Every process is gone, and what was not synced with them, but for what had been written back by chance.
    func losePower() {
        var kept: [String: Node] = ["": .directory]
        self.keepNames(under: "", in: &kept)
        self.nodes = ["": .directory]
        self.entries = [:]
        for path in kept.keys.sorted() where !path.isEmpty { self.set(kept[path], at: path) }
        for path in kept.keys.sorted() {
            guard case .file(let file) = kept[path] else { continue }
            self.loseUnsynced(of: file)
        }
        for path in kept.keys.sorted() {
            guard case .directory = kept[path] else { continue }
            self.syncNames(in: path)
        }
    }

    /// Names that were not synced may have been written back or not, each for itself.
    private func keepNames(under directory: String, in kept: inout [String: Node]) {
        var names = self.durableNames[directory] ?? [:]
        for name in Set(self.names(in: directory)).union(names.keys).sorted() where self.world.chance(0.3) {
            names[name] = self.nodes["\(directory)/\(name)"]
        }
        for name in names.keys.sorted() {
            let path = "\(directory)/\(name)"
            kept[path] = names[name]
            if case .directory = names[name] { self.keepNames(under: path, in: &kept) }
        }
    }

    private func loseUnsynced(of file: File) {
        var bytes = file.durable
        for write in file.unsynced where self.world.chance(0.6) {
            var part = write.bytes
            if self.world.chance(0.5) {
                self.world.coverage.hit(.tornWrite)
                part.removeLast(Int(self.world.random(0...Int64(part.count))))
            }
            SimulatedDisk.write(part, at: write.offset, to: &bytes)
        }
        file.bytes = bytes
        file.durable = bytes
        file.unsynced = []
    }

    static func write(_ part: [UInt8], at offset: Int, to bytes: inout [UInt8]) {
        let end = offset + part.count
        if bytes.count < end { bytes.append(contentsOf: repeatElement(0, count: end - bytes.count)) }
        bytes.replaceSubrange(offset..<end, with: part)
    }

    /// The synced files whose paths are wanted, in order of their paths.
    func syncedFiles(where isWanted: (String) -> Bool) -> [(path: String, file: File)] {
        self.nodes.keys.filter(isWanted).sorted().compactMap { path in
            guard case .file(let file) = self.nodes[path], file.unsynced.isEmpty else { return nil }
            return (path, file)
        }
    }

    /// Flips a bit behind the first `offset` bytes of a file, for good; says whether there is one.
    func flipBit(of file: File, from offset: Int = 0) -> Bool {
        guard file.bytes.count > offset else { return false }
        let offset = offset + Int(self.world.random() % UInt64(file.bytes.count - offset))
        file.undamaged = file.undamaged ?? file.bytes
        file.bytes[offset] ^= 1 << UInt8(self.world.random() & 7)
        file.durable = file.bytes
        return true
    }
}

/// The disk as one process sees it; each operation may fail, stall, or be the process's last.
struct SimulatedFileSystem: FileSystem {
    let disk: SimulatedDisk
    let process: SimulatedProcess
    private var world: World { self.disk.world }

    init(disk: SimulatedDisk, process: SimulatedProcess) {
        self.disk = disk
        self.process = process
    }

    func perform<Result>(
        _ operation: String,
        _ path: String,
        mayNeedSpace: Bool = false,
        _ body: () throws(FileError) -> Result
    ) throws(FileError) -> Result {
        let dead = FileError(operation, path: path, code: EIO)
        guard !self.process.isDead else { throw dead }
        // Files are staged seldom, so that each of those moments counts more.
        let crash = Probability.crashAtFileOperation * (path.contains("/staging/") ? 8 : 1)
        if self.world.fault(.crashBeforeFileOperation, crash) {
            self.process.kill()
            throw dead
        }
        if self.world.fault(.stalledOwner, Probability.stall) {
            self.process.stall(self.world.random(5_000...25_000))
        }
        guard !self.process.isDead else { throw dead }
        if mayNeedSpace, self.disk.isFull { throw FileError(operation, path: path, code: ENOSPC) }
        let result = try body()
        if self.world.fault(.crashAfterFileOperation, crash) {
            self.process.kill()
            throw dead
        }
        return result
    }

    func open(_ path: String, _ mode: FileMode) throws(FileError) -> any OpenFile {
        try self.perform("open", path, mayNeedSpace: mode == .create) { () throws(FileError) in
            switch (self.disk.node(path), mode) {
            case (.file, .create): throw FileError("open", path: path, code: EEXIST)
            case (.file(let file), _): return SimulatedOpenFile(path: path, file: file, system: self)
            case (nil, .read): throw FileError("open", path: path, code: ENOENT)
            case (.directory, _): throw FileError("open", path: path, code: EISDIR)
            case (nil, .create), (nil, .readWrite):
                guard case .directory = self.disk.node(SimulatedDisk.parent(path)) else {
                    throw FileError("open", path: path, code: ENOENT)
                }
                let file = SimulatedDisk.File()
                self.disk.set(.file(file), at: path)
                return SimulatedOpenFile(path: path, file: file, system: self)
            }
        }
    }

    func map(_ path: String, bytes: Int) throws(FileError) -> MappedMemory {
        try self.remove(path)
        return try self.perform("mmap", path, mayNeedSpace: true) { () throws(FileError) in
            self.disk.set(.file(SimulatedDisk.File()), at: path)
            let start = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
            start.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
            return MappedMemory(start: start, bytes: bytes) { start, _ in start.deallocate() }
        }
    }

    func replace(_ target: String, with path: String) throws(FileError) {
        try self.perform("rename", target) { () throws(FileError) in
            guard let node = self.disk.node(path), self.disk.node(SimulatedDisk.parent(target)) != nil else {
                throw FileError("rename", path: target, code: ENOENT)
            }
            self.disk.set(nil, at: path)
            self.disk.set(node, at: target)
        }
    }

    func remove(_ path: String) throws(FileError) {
        try self.perform("unlink", path) { () throws(FileError) in self.disk.set(nil, at: path) }
    }

    func makeDirectory(_ path: String) throws(FileError) {
        let parent = SimulatedDisk.parent(path)
        if self.disk.node(parent) == nil { try self.makeDirectory(parent) }
        try self.perform("mkdir", path) { () throws(FileError) in
            if self.disk.node(path) == nil { self.disk.set(.directory, at: path) }
        }
        try self.syncDirectory(of: path)
    }

    func removeEmptyDirectory(_ path: String) throws(FileError) {
        try self.perform("rmdir", path) { () throws(FileError) in
            guard self.disk.names(in: path).isEmpty else { throw FileError("rmdir", path: path, code: ENOTEMPTY) }
            self.disk.set(nil, at: path)
        }
    }

    func list(_ path: String) throws(FileError) -> [String] {
        try self.perform("opendir", path) { () throws(FileError) in self.disk.names(in: path) }
    }

    func syncDirectory(of path: String) throws(FileError) {
        try self.perform("fsync", path) { () throws(FileError) in
            self.disk.syncNames(in: SimulatedDisk.parent(path))
        }
    }

    func lock(_ path: String) throws(FileError) -> (any FileLock)? {
        let file = try self.open(path, .readWrite)
        return self.disk.lock(path, self.process) ? SimulatedLock(file: file) : nil
    }
}

private final class SimulatedLock: FileLock {
    private let file: any OpenFile

    init(file: any OpenFile) {
        self.file = file
    }
}

/// An open file of the simulated disk.
private final class SimulatedOpenFile: OpenFile, @unchecked Sendable {
    // Guard: only the main thread touches it.

    let path: String
    private let file: SimulatedDisk.File
    private let system: SimulatedFileSystem

    init(path: String, file: SimulatedDisk.File, system: SimulatedFileSystem) {
        self.path = path
        self.file = file
        self.system = system
    }

    func size() throws(FileError) -> Int64 { Int64(self.file.bytes.count) }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        let part = Array(bytes)
        try self.system.perform("write", self.path, mayNeedSpace: true) { () throws(FileError) in
            SimulatedDisk.write(part, at: Int(offset), to: &self.file.bytes)
            self.file.unsynced.append((Int(offset), part))
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        guard !self.system.process.isDead else { throw FileError("read", path: self.path, code: EIO) }
        let start = min(Int(offset), self.file.bytes.count)
        let count = min(buffer.count, self.file.bytes.count - start)
        buffer.copyBytes(from: self.file.bytes[start..<(start + count)])
        return count
    }

    func syncData() throws(FileError) {
        let world = self.system.process.world
        if world.fault(.slowDisk, Probability.slowSync) {
            self.system.process.stall(world.random(500...6_000))
        }
        try self.system.perform("fdatasync", self.path) { () throws(FileError) in
            if world.fault(.failedSync, Probability.failedSync) {
                // Linux may drop the pages and report it once.
                self.file.bytes = self.file.durable
                self.file.unsynced = []
                throw FileError("fdatasync", path: self.path, code: EIO)
            }
            self.system.disk.sync(self.file)
        }
    }
}
