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
        /// The files have changed and cannot be used: new connections go on with the old context. The reason may pass, so
        /// they are tried at each look, and it is said again when it is another one.
        case kept(TLSError)
    }

    private struct State {
        var context: TLSContext
        /// Of the files that were last looked at.
        var fingerprint: [FileFingerprint]
        /// Why those cannot be used.
        var failure: TLSError?
    }

    /// Loads the files of a configuration.
    typealias Load = @Sendable (TLSConfiguration) throws(TLSError) -> TLSContext

    private let load: Load
    private let configuration: TLSConfiguration
    private let state: Mutex<State>

    /// Loads the files for the first time; throws what is wrong with them.
    public convenience init(_ configuration: TLSConfiguration) throws(TLSError) {
        try self.init(configuration) { (files) throws(TLSError) in try TLSContext(files) }
    }

    /// - Parameter load: loads the files; one that fails when it is told to, for tests.
    init(_ configuration: TLSConfiguration, load: @escaping Load) throws(TLSError) {
        self.configuration = configuration
        self.load = load
        let fingerprint = configuration.files.map { FileFingerprint(path: $0) }
        self.state = try Mutex(State(context: load(configuration), fingerprint: fingerprint))
    }

    /// The context for a connection that begins now.
    public var current: TLSContext {
        self.state.withLock { $0.context }
    }

    /// Looks at the files and loads them if one has changed, content or a link that points elsewhere now, or if they could
    /// not be used the last time. Reads files, so it is not for an event loop.
    public func reloadIfChanged() -> Outcome {
        // Taken before the files are read: a change while they are read is noticed the next time.
        let fingerprint = self.configuration.files.map { FileFingerprint(path: $0) }
        let before = self.state.withLock { state in
            defer { state.fingerprint = fingerprint }
            return state
        }
        let isChanged = before.fingerprint != fingerprint
        guard isChanged || before.failure != nil else { return .unchanged }
        let outcome = self.reload()
        if !isChanged, let failure = before.failure, outcome == .kept(failure) { return .unchanged }
        return outcome
    }

    private func reload() -> Outcome {
        do throws(TLSError) {
            let context = try self.load(self.configuration)
            self.state.withLock { ($0.context, $0.failure) = (context, nil) }
            return .reloaded
        } catch {
            self.state.withLock { $0.failure = error }
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
