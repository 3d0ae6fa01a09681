public import Glibc
import SchedulerStores
import Synchronization

/// One sync or one write of the machine's files that fails.
public final class FailingCall: Sendable {
    /// What fails.
    public enum Kind: Sendable {
        /// Of a file or a directory.
        case sync
        /// Of a file.
        case write
    }

    private let calls = Atomic<Int>(0)
    private let kind: Kind
    private let path = Mutex("")
    private let failing: Int
    private let code: Int32

    /// Makes one.
    /// - Parameters:
    ///   - failing: the number of the call of this kind that fails; from 1.
    ///   - code: its `errno`.
    public init(_ failing: Int, _ kind: Kind = .sync, code: Int32 = EIO) {
        self.kind = kind
        self.failing = failing
        self.code = code
    }

    /// The files of which it is one call.
    public var files: ObservedFileSystem {
        ObservedFileSystem { [self] operation, path throws(FileError) in
            let kind: Kind = operation == .write ? .write : .sync
            guard kind == self.kind, self.calls.add(1, ordering: .relaxed).newValue == self.failing else { return }
            self.path.withLock { $0 = path }
            throw FileError(operation.rawValue, path: path, code: self.code)
        }
    }

    /// What the call that fails was about; empty until then.
    public var failed: String { self.path.withLock { $0 } }

    /// Whether the call that fails has been reached.
    public var hasFailed: Bool { self.calls.load(ordering: .relaxed) >= self.failing }
}
