public import Settings
import Synchronization

/// What a file says, which changes when the file does. A file that cannot be used leaves what was read before in force.
public final class WatchedFile<Content: Sendable>: Sendable {
    private struct State {
        var content: Content
        /// Of the file that was last looked at.
        var fingerprint: FileFingerprint
        /// Whether that one could not be read, for a reason that may pass: it is tried again.
        var isUnread = false
    }

    private let read: @Sendable (_ path: String) throws(SettingsError) -> String
    private let parse: @Sendable (_ text: String, _ path: String) throws(SettingsError) -> Content
    private let state: Mutex<State>
    /// The file's path.
    public let path: String

    /// Reads the file for the first time.
    ///
    /// - Parameter parse: makes its content of its text; the path is for errors.
    /// - Throws: what is wrong with it.
    public convenience init(
        path: String,
        parse: @escaping @Sendable (_ text: String, _ path: String) throws(SettingsError) -> Content
    ) throws(SettingsError) {
        try self.init(path: path, read: ProgramStart.readFile, parse: parse)
    }

    /// - Parameter read: gives the text of the file at a path; another one than that of files, for tests.
    package init(
        path: String,
        read: @escaping @Sendable (_ path: String) throws(SettingsError) -> String,
        parse: @escaping @Sendable (_ text: String, _ path: String) throws(SettingsError) -> Content
    ) throws(SettingsError) {
        self.path = path
        self.read = read
        self.parse = parse
        let fingerprint = FileFingerprint(path: path)
        let content = try parse(try read(path), path)
        self.state = Mutex(State(content: content, fingerprint: fingerprint))
    }

    /// What the file said when it was last good.
    public var current: Content {
        self.state.withLock { $0.content }
    }
}

extension WatchedFile: WatchedContent {
    /// Looks at the file and reads it if it has changed, or could not be read the last time.
    public func reloadIfChanged() -> FileOutcome {
        // Taken before the file is read: a change while it is read is noticed the next time.
        let fingerprint = FileFingerprint(path: self.path)
        let before = self.state.withLock { state in
            defer { (state.fingerprint, state.isUnread) = (fingerprint, false) }
            return state
        }
        let isChanged = before.fingerprint != fingerprint
        guard isChanged || before.isUnread else { return .unchanged }
        let text: String
        do throws(SettingsError) {
            text = try self.read(self.path)
        } catch {
            self.state.withLock { $0.isUnread = true }
            return isChanged ? .kept(error) : .unchanged
        }
        return self.take(text)
    }

    private func take(_ text: String) -> FileOutcome {
        do throws(SettingsError) {
            let content = try self.parse(text, self.path)
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
