import FailPoints
import Glibc

/// An open file. Owns the descriptor and closes it at the end of its life; every call blocks.
public final class PosixFile: OpenFile {
    /// Where it was opened.
    public let path: String
    let descriptor: Int32

    /// Opens a file.
    public init(_ path: String, _ mode: FileMode) throws(FileError) {
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
        FailPoint.reach("store.before_write")
        defer { FailPoint.reach("store.after_write") }
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

    /// Makes bytes and size durable.
    public func syncData() throws(FileError) {
        FailPoint.reach("store.before_sync")
        guard fdatasync(self.descriptor) == 0 else { throw FileError("fdatasync", path: self.path) }
        FailPoint.reach("store.after_sync")
    }
}
