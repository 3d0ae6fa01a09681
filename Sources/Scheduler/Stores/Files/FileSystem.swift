/// Files and their names: the machine's, or simulated ones with faults. Every call blocks.
public protocol FileSystem: Sendable {
    /// Opens a file.
    func open(_ path: String, _ mode: FileMode) throws(FileError) -> any OpenFile
    /// Makes a file of `bytes` bytes, in place of one that is there, and maps it. Its content outlives no crash.
    func map(_ path: String, bytes: Int) throws(FileError) -> MappedMemory
    /// Renames within a volume, in place of what is there; `syncDirectory` makes the new name durable.
    func replace(_ target: String, with path: String) throws(FileError)
    /// Removes a file; a missing one is fine.
    func remove(_ path: String) throws(FileError)
    /// Makes a directory and those above it, and makes its name durable.
    func makeDirectory(_ path: String) throws(FileError)
    /// Removes an empty directory; a missing one is fine.
    func removeEmptyDirectory(_ path: String) throws(FileError)
    /// Names in a directory, in any order; a missing directory is empty.
    func list(_ path: String) throws(FileError) -> [String]
    /// Makes the entries of the directory that holds `path` durable.
    func syncDirectory(of path: String) throws(FileError)
    /// Locks a file, made when it is missing, until the value's or the process's end; nil when another one has the lock.
    func lock(_ path: String) throws(FileError) -> (any FileLock)?
}

/// A held lock.
public protocol FileLock: AnyObject, Sendable {}

extension FileSystem {
    /// Renames within a volume, in place of what is there, and makes the new name durable.
    public func rename(_ from: String, to target: String) throws(FileError) {
        try self.replace(target, with: from)
        try self.syncDirectory(of: target)
    }

    /// Removes a directory with the files in it (no directories below); a missing one is fine.
    public func removeDirectory(_ path: String) throws(FileError) {
        for name in try self.list(path) {
            try self.remove("\(path)/\(name)")
        }
        try self.removeEmptyDirectory(path)
    }
}

/// How to open a file.
public enum FileMode: Sendable {
    /// It must exist.
    case read
    /// It must not exist yet.
    case create
    /// It may exist.
    case readWrite
}

/// An open file; it closes at the end of its life.
public protocol OpenFile: AnyObject, Sendable {
    /// Where it was opened.
    var path: String { get }
    /// Size in bytes.
    func size() throws(FileError) -> Int64
    /// Writes all bytes at `offset`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError)
    /// Reads up to `buffer.count` bytes at `offset`; fewer only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int
    /// Makes bytes and size durable. After a failure the file's bytes are unknown: it must not be tried again (T-06).
    func syncData() throws(FileError)
}

extension OpenFile {
    /// Writes all bytes at `offset`.
    public func write(_ bytes: [UInt8], at offset: Int64) throws(FileError) {
        // Array.withUnsafeBytes does not keep the type of an error.
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try self.write(bytes, at: offset) }
        }
        try result.get()
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
}

/// A mapped file, zeroed. Owns the mapping.
public final class MappedMemory: @unchecked Sendable {
    // Guard: that of the type that maps it (`LocationIndex`); pointer and size never change.

    /// Its first byte.
    public let start: UnsafeMutableRawPointer
    /// Its size.
    public let bytes: Int
    private let release: @Sendable (UnsafeMutableRawPointer, Int) -> Void

    /// Takes over a mapping; `release` gives it back.
    public init(
        start: UnsafeMutableRawPointer,
        bytes: Int,
        release: @escaping @Sendable (UnsafeMutableRawPointer, Int) -> Void
    ) {
        self.start = start
        self.bytes = bytes
        self.release = release
    }

    deinit {
        self.release(self.start, self.bytes)
    }
}
