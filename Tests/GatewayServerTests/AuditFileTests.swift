import Foundation
import GatewayAccess
import InMemoryLogging
import Logging
import TestSupport
import Testing

@testable import GatewayServer

/// What is written of changes when the program ends in the middle.
@Suite(.timeLimit(.minutes(1)))
struct AuditFileTests {
    private let directory: TemporaryDirectory
    private let log = InMemoryLogHandler()
    private var path: String { self.directory.path + "/audit" }

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    @Test("what was taken is written when the program is made to stop, and what comes later is said to be lost")
    func forcedStop() async throws {
        let log = self.log
        let file = AuditFile(path: self.path, logger: Logger(label: "test") { _ in log })
        let wanted = (0..<1_000).map { "request-\($0)" }
        for id in wanted { file.write(Self.entry(id)) }
        let running = Task { try await file.run() }
        // It is made first of all.
        while !FileManager.default.fileExists(atPath: self.path) { await Task.yield() }
        running.cancel()
        try await running.value
        #expect(try self.written() == wanted)
        #expect(self.log.entries.isEmpty)
        file.write(Self.entry("late"))
        #expect(self.log.entries.map { $0.metadata["request_id"] } == ["late"])
        #expect(try self.written() == wanted)
    }

    /// Request ids of the lines of the file.
    private func written() throws -> [String] {
        let lines = try String(contentsOfFile: self.path, encoding: .utf8).split(separator: "\n")
        return try lines.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object?["request_id"] as? String)
        }
    }

    private static func entry(_ requestID: String) -> AuditEntry {
        AuditEntry(
            caller: .anybody,
            action: "batch.create",
            objectID: nil,
            method: "POST",
            status: 200,
            requestID: requestID
        )
    }
}
