import Glibc

/// A failed file operation.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The system call.
    public var operation: String
    /// What it was called on, relative to the data directory where known.
    public var path: String
    /// `errno` of the call.
    public var code: Int32

    /// Makes an error.
    public init(_ operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// Makes an error from `errno`.
    init(_ operation: String, path: String) {
        self.init(operation, path: path, code: errno)
    }

    /// Whether the volume has no room left; worth trying again later.
    public var isOutOfSpace: Bool { self.code == ENOSPC || self.code == EDQUOT }
    /// Whether the file does not exist.
    public var isMissing: Bool { self.code == ENOENT }

    /// For people.
    public var description: String {
        "\(self.operation) \(self.path): \(String(cString: strerror(self.code)))"
    }
}

/// An open file. Owns the descriptor and closes it at the end of its life; every call blocks.
public final class PosixFile: Sendable {
    /// How to open a file.
    public enum Mode: Sendable {
        /// It must exist.
        case read
        /// It must not exist yet.
        case create
        /// It may exist.
        case readWrite
    }

    /// Where it was opened.
    public let path: String
    let descriptor: Int32

    /// Opens a file.
    public init(_ path: String, _ mode: Mode) throws(FileError) {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .create: O_RDWR | O_CREAT | O_EXCL
            case .readWrite: O_RDWR | O_CREAT
            }
        self.path = path
        self.descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard self.descriptor >= 0 else { throw FileError("open", path: path) }
    }

    deinit {
        close(self.descriptor)
    }

    /// Size in bytes.
    public func size() throws(FileError) -> Int64 {
        var status = stat()
        guard fstat(self.descriptor, &status) == 0 else { throw FileError("fstat", path: self.path) }
        return Int64(status.st_size)
    }

    /// Writes all bytes at `offset`.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        var written = 0
        while written < bytes.count {
            guard let base = bytes.baseAddress else { return }
            let count = pwrite(self.descriptor, base + written, bytes.count - written, off_t(offset) + off_t(written))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("write", path: self.path)
            }
            written += count
        }
    }

    /// Writes all bytes at `offset`.
    public func write(_ bytes: [UInt8], at offset: Int64) throws(FileError) {
        // Array.withUnsafeBytes does not keep the type of an error.
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try self.write(bytes, at: offset) }
        }
        try result.get()
    }

    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end of the file.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        var filled = 0
        while filled < buffer.count {
            guard let base = buffer.baseAddress else { return 0 }
            let count = pread(self.descriptor, base + filled, buffer.count - filled, off_t(offset) + off_t(filled))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("read", path: self.path)
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Reads `count` bytes at `offset`, fewer only at the end of the file.
    public func read(count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(FileError) {
                filled = try self.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Cuts or extends the file.
    public func truncate(to bytes: Int64) throws(FileError) {
        guard ftruncate(self.descriptor, off_t(bytes)) == 0 else { throw FileError("truncate", path: self.path) }
    }

    /// Makes bytes and size durable.
    public func syncData() throws(FileError) {
        guard fdatasync(self.descriptor) == 0 else { throw FileError("fdatasync", path: self.path) }
    }
}

/// Operations on directories and names; every call blocks.
public enum FileNames {
    /// Makes a directory and those above it.
    public static func makeDirectory(_ path: String) throws(FileError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw FileError("mkdir", path: path)
        }
        try self.makeDirectory(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileError("mkdir", path: path) }
    }

    /// Renames within a volume and makes the new name durable.
    public static func rename(_ from: String, to target: String) throws(FileError) {
        guard Glibc.rename(from, target) == 0 else { throw FileError("rename", path: target) }
        try self.syncDirectory(of: target)
    }

    /// Removes a file; a missing one is fine.
    public static func remove(_ path: String) throws(FileError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileError("unlink", path: path) }
    }

    /// Removes a directory with the files in it (no directories below); a missing one is fine.
    public static func removeDirectory(_ path: String) throws(FileError) {
        for name in try self.list(path) {
            try self.remove("\(path)/\(name)")
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw FileError("rmdir", path: path) }
    }

    /// Names in a directory; a missing directory is empty.
    public static func list(_ path: String) throws(FileError) -> [String] {
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
    public static func syncDirectory(of path: String) throws(FileError) {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path: parent) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("fsync", path: parent) }
    }
}
