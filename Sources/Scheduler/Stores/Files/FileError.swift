import Glibc

/// A failed file operation.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The system call.
    public var operation: String
    /// What it was called on, relative to the data directory where known.
    public var path: String
    /// `errno` of the call.
    public var code: Int32
    /// What is wrong with the file, when it was read and is not what was written.
    public var damage: String?

    /// Makes an error.
    public init(_ operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// What was read is not what was written.
    static func damaged(_ path: String, _ damage: String) -> FileError {
        var error = FileError("verify", path: path, code: EBADMSG)
        error.damage = damage
        return error
    }

    /// Makes an error from `errno`.
    init(_ operation: String, path: String) {
        self.init(operation, path: path, code: errno)
    }

    /// Whether the volume has no room left; worth trying again later.
    public var isOutOfSpace: Bool { self.code == ENOSPC || self.code == EDQUOT }
    /// Whether bytes that were written before may be gone: Linux reports a failed write-back once and drops the pages, so
    /// that a second sync would succeed without them (T-06). They have to be written again.
    public var hasLostWrites: Bool { self.operation == "fsync" || self.operation == "fdatasync" }
    /// Whether what was written may be lost without anybody being able to tell. The only way on is to start over from
    /// what is on disk.
    public var isFatal: Bool { self.hasLostWrites && !self.isOutOfSpace }
    /// Whether the file does not exist.
    public var isMissing: Bool { self.code == ENOENT }

    /// For people.
    public var description: String {
        if let damage = self.damage { return "\(self.path) \(damage)" }
        return "\(self.operation) \(self.path): \(String(cString: strerror(self.code)))"
    }
}
