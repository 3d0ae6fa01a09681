import Glibc
import JSONSpans
import Synchronization

/// The ledger of requests that really ran: one JSON line each, appended when it ended.
///
/// A line is written with one system call, so a reader never sees half of one.
final class WitnessLedger: Sendable {
    private let descriptor: Int32

    /// Opens the file for appending; nil when it cannot be opened.
    init?(path: String) {
        self.descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard self.descriptor >= 0 else { return nil }
    }

    deinit {
        close(self.descriptor)
    }

    /// Adds a line.
    func record(id: String?, bodyHash: UInt64, path: String, start: Double, end: Double, outcome: String, status: Int) {
        var line = Array("{\"id\":".utf8)
        if let id {
            JSONString.appendEncoded(id, to: &line)
        } else {
            line.append(contentsOf: "null".utf8)
        }
        line.append(contentsOf: ",\"body\":\"\(String(bodyHash, radix: 16))\",\"path\":".utf8)
        JSONString.appendEncoded(path, to: &line)
        line.append(
            contentsOf: ",\"start\":\(start),\"end\":\(end),\"outcome\":\"\(outcome)\",\"status\":\(status)}\n".utf8
        )
        _ = line.withUnsafeBytes { write(self.descriptor, $0.baseAddress, $0.count) }
    }

    /// Unix seconds.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec / 1_000) / 1_000_000
    }
}
