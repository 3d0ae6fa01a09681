import Foundation

/// Shows progress on standard error: one redrawn line on a terminal, plain lines now and then elsewhere.
struct ProgressDisplay {
    private static let plainInterval = 2.0

    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var lastPlain: (time: Double, status: String)?

    mutating func show(_ progress: Progress) {
        if self.isTerminal {
            self.write("\r\u{1B}[K" + progress.bar)
        } else if self.isDue(progress) {
            self.lastPlain = (progress.elapsed, progress.status)
            self.write(progress.line + "\n")
        }
    }

    func end() {
        if self.isTerminal { self.write("\n") }
    }

    private func isDue(_ progress: Progress) -> Bool {
        guard let last = self.lastPlain else { return true }
        return last.status != progress.status || progress.elapsed - last.time >= Self.plainInterval
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
