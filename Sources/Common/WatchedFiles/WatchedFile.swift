public import Settings
import Synchronization

/// What a file says, which changes when the file does. A file that cannot be used leaves what was read before in force.
public final class WatchedFile<Content: Sendable>: Sendable {
    private struct State {
        var content: Content
        var fingerprint: FileFingerprint
    }

    private let parse: @Sendable (_ text: String, _ path: String) throws(SettingsError) -> Content
    private let state: Mutex<State>
    /// The file's path.
    public let path: String

    /// Reads the file for the first time.
    ///
    /// - Parameter parse: makes its content of its text; the path is for errors.
    /// - Throws: what is wrong with it.
    public init(
        path: String,
        parse: @escaping @Sendable (_ text: String, _ path: String) throws(SettingsError) -> Content
    ) throws(SettingsError) {
        self.path = path
        self.parse = parse
        let fingerprint = FileFingerprint(path: path)
        let content = try parse(try ProgramStart.readFile(path), path)
        self.state = Mutex(State(content: content, fingerprint: fingerprint))
    }

    /// What the file said when it was last good.
    public var current: Content {
        self.state.withLock { $0.content }
    }
}

extension WatchedFile: WatchedContent {
    /// Looks at the file and reads it if it has changed.
    public func reloadIfChanged() -> FileOutcome {
        // Taken before the file is read: a change while it is read is noticed the next time.
        let fingerprint = FileFingerprint(path: self.path)
        let isChanged = self.state.withLock { state in
            defer { state.fingerprint = fingerprint }
            return state.fingerprint != fingerprint
        }
        guard isChanged else { return .unchanged }
        do throws(SettingsError) {
            let content = try self.parse(try ProgramStart.readFile(self.path), self.path)
            self.state.withLock { $0.content = content }
            return .reloaded
        } catch {
            return .kept(error)
        }
    }

    /// Whether its permissions let others read it or change it.
    public var isTooOpen: Bool {
        self.state.withLock { $0.fingerprint.isTooOpen }
    }
}

/// A watched file, whatever it says.
public protocol WatchedContent: Sendable {
    /// The file's path.
    var path: String { get }
    /// Whether its permissions let others read it or change it.
    var isTooOpen: Bool { get }
    /// Looks at the file and reads it if it has changed. Reads files, so it is not for an event loop.
    func reloadIfChanged() -> FileOutcome
}

/// What a look at a file has led to.
public enum FileOutcome: Sendable, Equatable {
    /// It is the one that was last looked at.
    case unchanged
    /// It has changed, and what it says now is in force.
    case reloaded
    /// It has changed and cannot be used: what was read before stays in force. Said once a change.
    case kept(SettingsError)
}
