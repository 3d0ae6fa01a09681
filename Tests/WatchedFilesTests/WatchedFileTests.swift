import Foundation
import Logging
import Settings
import Synchronization
import TestSupport
import Testing
import WatchedFiles

/// Files that may change while a program runs.
@Suite(.timeLimit(.minutes(1))) struct WatchedFileTests {
    private let directory: TemporaryDirectory
    private var path: String { self.directory.path + "/file" }

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func write(_ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: self.path), options: .atomic)
    }

    /// A file whose text is a number.
    private func watched() throws -> WatchedFile<Int> {
        try WatchedFile(path: self.path) { (text, path) throws(SettingsError) in
            guard let number = Int(text) else { throw .refused("\(path): no number") }
            return number
        }
    }

    @Test func aChangeIsTakenOnceAndABadOneLeavesTheOldInForce() throws {
        try self.write("1")
        let file = try self.watched()
        #expect(file.current == 1)
        #expect(file.reloadIfChanged() == .unchanged)
        try self.write("2")
        #expect(file.reloadIfChanged() == .reloaded)
        #expect(file.current == 2)
        try self.write("nonsense")
        #expect(file.reloadIfChanged() == .kept(.refused("\(self.path): no number")))
        #expect(file.reloadIfChanged() == .unchanged)
        #expect(file.current == 2)
        try FileManager.default.removeItem(atPath: self.path)
        #expect(file.reloadIfChanged() == .kept(.refused("cannot open \(self.path)")))
        #expect(file.current == 2)
        try self.write("3")
        #expect(file.reloadIfChanged() == .reloaded)
        #expect(file.current == 3)
    }

    @Test func aChangeThatCannotBeReadNowIsSaidOnceAndTakenWhenItCanBe() throws {
        try self.write("1")
        let isReadable = Mutex(true)
        let failure = SettingsError.refused("too many open files")
        let file = try WatchedFile(path: self.path) { (path) throws(SettingsError) in
            guard isReadable.withLock({ $0 }) else { throw failure }
            return try ProgramStart.readFile(path)
        } parse: { (text, path) throws(SettingsError) in
            guard let number = Int(text) else { throw .refused("\(path): no number") }
            return number
        }
        isReadable.withLock { $0 = false }
        #expect(file.reloadIfChanged() == .unchanged)
        try self.write("2")
        #expect(file.reloadIfChanged() == .kept(failure))
        #expect(file.reloadIfChanged() == .unchanged)
        #expect(file.current == 1)
        isReadable.withLock { $0 = true }
        #expect(file.reloadIfChanged() == .reloaded)
        #expect(file.current == 2)
        #expect(file.reloadIfChanged() == .unchanged)
    }

    @Test func aFileThatCannotBeUsedIsRefusedAtTheStart() throws {
        #expect(throws: SettingsError.refused("cannot open \(self.path)")) { try self.watched() }
        try self.write("")
        #expect(throws: SettingsError.refused("\(self.path): no number")) { try self.watched() }
    }

    @Test(arguments: [(0o600, false), (0o640, false), (0o644, true), (0o660, true), (0o602, true)])
    func permissionsThatAreTooOpenAreNoticed(mode: Int, isTooOpen: Bool) throws {
        try self.write("1")
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: self.path)
        #expect(try self.watched().isTooOpen == isTooOpen)
    }

    @Test func theReloaderTellsOfChanges() async throws {
        try self.write("1")
        let file = try self.watched()
        let (outcomes, sink) = AsyncStream.makeStream(of: FileOutcome.self)
        let reloader = FileReloader(
            files: [file],
            interval: .milliseconds(1),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { sink.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reloader.run() }
            var seen = outcomes.makeAsyncIterator()
            try self.write("x")
            #expect(await seen.next() == .kept(.refused("\(self.path): no number")))
            try self.write("5")
            #expect(await seen.next() == .reloaded)
            #expect(file.current == 5)
            group.cancelAll()
        }
    }
}
