import Foundation
import GatewayAPI
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Appends audit entries to a file, a JSON object a line, on a thread that may block.
///
/// A file that was renamed or removed, as log rotation does, is made again.
final class AuditFile: Service {
    /// Entries that wait to be written; what comes beyond is lost, and said to be.
    private static let maximumWaiting = 65_536
    private static let mode: mode_t = 0o600

    private let path: String
    private let logger: Logger
    private let entries: AsyncStream<AuditEntry>
    private let inbox: AsyncStream<AuditEntry>.Continuation

    init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
        (self.entries, self.inbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.maximumWaiting))
    }

    /// Takes note of an entry; returns at once.
    func write(_ entry: AuditEntry) {
        let reason: String
        switch self.inbox.yield(entry) {
        case .enqueued: return
        case .dropped: reason = "the file is too slow"
        default: reason = "the program ends"
        }
        self.logger.error(
            "an audit entry is lost: \(reason)",
            metadata: ["file": "\(self.path)", "request_id": "\(entry.requestID)"]
        )
    }

    /// Works until graceful shutdown or cancellation, then through what still waits.
    ///
    /// - Throws: what is wrong when the file cannot be opened at the start.
    func run() async throws {
        try await NIOThreadPool.singleton.runIfActive { _ = close(try self.open()) }
        await withTaskCancellationOrGracefulShutdownHandler {
            // A cancelled task is given what was taken before, too.
            for await entry in self.entries {
                let line = Self.line(entry, at: Date())
                await self.append(line, requestID: entry.requestID)
            }
        } onCancelOrGracefulShutdown: {
            self.inbox.finish()
        }
    }

    private func append(_ line: [UInt8], requestID: String) async {
        do {
            // Also in a cancelled task: what was taken is written, however the program ends.
            try await withCheckedThrowingContinuation { continuation in
                NIOThreadPool.singleton.submit { state in
                    continuation.resume(with: Result { try self.write(line, in: state) })
                }
            }
        } catch {
            self.logger.error(
                "an audit entry is lost",
                metadata: ["error": "\(error)", "request_id": "\(requestID)"]
            )
        }
    }

    private func write(_ line: [UInt8], in state: NIOThreadPool.WorkItemState) throws {
        guard case .active = state else { throw CancellationError() }
        let file = try self.open()
        defer { _ = close(file) }
        // One call: lines of several gateways in one file do not mix.
        guard Foundation.write(file, line, line.count) == line.count else { throw AuditFileError(path: self.path) }
    }

    private func open() throws -> Int32 {
        let file = Foundation.open(self.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, Self.mode)
        guard file >= 0 else { throw AuditFileError(path: self.path) }
        return file
    }

    /// The entry with its time, and the end of the line.
    static func line(_ entry: AuditEntry, at time: Date) -> [UInt8] {
        let text = time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let json = JSON.object([("time", .string(text))] + entry.fields.map { ($0.name, $0.value) })
        return Array(json.encoded().readableBytesView) + [UInt8(ascii: "\n")]
    }
}

/// Why the file of audit entries cannot be written.
struct AuditFileError: Error, CustomStringConvertible {
    let description: String

    init(path: String) {
        self.description = "cannot write \(path): \(String(cString: strerror(errno)))"
    }
}
