import FailPoints
import Glibc

/// The machine's files.
public struct LocalFileSystem: FileSystem {
    /// There is one.
    public init() {}

    /// Opens a file; never through a symbolic link.
    public func open(_ path: String, _ mode: FileMode) throws(FileError) -> any OpenFile {
        try PosixFile(path, mode)
    }

    /// Makes a file and maps it.
    public func map(_ path: String, bytes: Int) throws(FileError) -> MappedMemory {
        try self.remove(path)
        let file = try PosixFile(path, .create)
        // Reserved now: a mapped file that cannot grow later would be a SIGBUS.
        let code = posix_fallocate(file.descriptor, 0, off_t(bytes))
        guard code == 0 else { throw FileError("fallocate", path: path, code: code) }
        let mapped = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { throw FileError("mmap", path: path) }
        return MappedMemory(start: mapped, bytes: bytes) { munmap($0, $1) }
    }

    /// Renames within a volume.
    public func replace(_ target: String, with path: String) throws(FileError) {
        FailPoint.reach("store.before_rename")
        guard Glibc.rename(path, target) == 0 else { throw FileError("rename", path: target) }
        FailPoint.reach("store.after_rename")
    }

    /// Removes a file; a missing one is fine.
    public func remove(_ path: String) throws(FileError) {
        FailPoint.reach("store.before_unlink")
        guard unlink(path) == 0 || errno == ENOENT else { throw FileError("unlink", path: path) }
        FailPoint.reach("store.after_unlink")
    }

    /// Makes a directory and those above it, durable even when another process that made it crashed at once.
    public func makeDirectory(_ path: String) throws(FileError) {
        FailPoint.reach("store.before_mkdir")
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
                throw FileError("mkdir", path: path)
            }
            try self.makeDirectory(String(path[..<slash]))
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileError("mkdir", path: path) }
        }
        FailPoint.reach("store.after_mkdir")
        try self.syncDirectory(of: path)
    }

    /// Removes an empty directory; a missing one is fine.
    public func removeEmptyDirectory(_ path: String) throws(FileError) {
        guard rmdir(path) == 0 || errno == ENOENT else { throw FileError("rmdir", path: path) }
    }

    /// Names in a directory; a missing directory is empty.
    public func list(_ path: String) throws(FileError) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw FileError("opendir", path: path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes the entries of the directory that holds `path` durable.
    public func syncDirectory(of path: String) throws(FileError) {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = Glibc.open(parent.isEmpty ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path: parent) }
        defer { close(descriptor) }
        FailPoint.reach("store.before_directory_sync")
        guard fsync(descriptor) == 0 else { throw FileError("fsync", path: parent) }
        FailPoint.reach("store.after_directory_sync")
    }

    /// Locks a file with `flock`, which the kernel takes back when the process ends.
    public func lock(_ path: String) throws(FileError) -> (any FileLock)? {
        let file = try PosixFile(path, .readWrite)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            if errno == EWOULDBLOCK { return nil }
            throw FileError("flock", path: path)
        }
        return file
    }
}

extension PosixFile: FileLock {}
