import Glibc
import Synchronization

/// The context of new connections, which changes when its files do. Connections that exist keep the one they began with.
public final class TLSContextSource: Sendable {
    /// What a look at the files has led to.
    public enum Outcome: Sendable, Equatable {
        /// The files are those that were last looked at.
        case unchanged
        /// New connections use the new files.
        case reloaded
        /// The files have changed and cannot be used: new connections go on with the old context. Said once a change.
        case kept(TLSError)
    }

    private struct State {
        var context: TLSContext
        var fingerprint: [FileFingerprint]
    }

    private let configuration: TLSConfiguration
    private let state: Mutex<State>

    /// Loads the files for the first time; throws what is wrong with them.
    public init(_ configuration: TLSConfiguration) throws(TLSError) {
        self.configuration = configuration
        let fingerprint = configuration.files.map { FileFingerprint(path: $0) }
        self.state = try Mutex(State(context: TLSContext(configuration), fingerprint: fingerprint))
    }

    /// The context for a connection that begins now.
    public var current: TLSContext {
        self.state.withLock { $0.context }
    }

    /// Looks at the files and loads them if one has changed: content, or a link that points elsewhere now. Reads files,
    /// so it is not for an event loop.
    public func reloadIfChanged() -> Outcome {
        // Taken before the files are read: a change while they are read is noticed the next time.
        let fingerprint = self.configuration.files.map { FileFingerprint(path: $0) }
        let isChanged = self.state.withLock { state in
            defer { state.fingerprint = fingerprint }
            return state.fingerprint != fingerprint
        }
        return isChanged ? self.reload() : .unchanged
    }

    /// Loads the files whether or not they have changed, for a signal. Reads files, so it is not for an event loop.
    public func reload() -> Outcome {
        do {
            let context = try TLSContext(self.configuration)
            self.state.withLock { $0.context = context }
            return .reloaded
        } catch {
            return .kept(error)
        }
    }
}

/// What changes when a file does.
private struct FileFingerprint: Equatable {
    private var device: UInt = 0
    private var inode: UInt = 0
    private var size = 0
    private var changedSeconds = 0
    private var changedNanoseconds = 0

    /// Follows links. A file that is not there has a fingerprint too. The time is that of the last change to content or
    /// mode, so that a file which has become readable is noticed.
    init(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        self.device = status.st_dev
        self.inode = status.st_ino
        self.size = status.st_size
        self.changedSeconds = status.st_ctim.tv_sec
        self.changedNanoseconds = status.st_ctim.tv_nsec
    }
}
