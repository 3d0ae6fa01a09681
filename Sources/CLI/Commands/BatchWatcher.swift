import Foundation

/// Follows a batch to its end and shows how it gets on.
struct BatchWatcher {
    private static let firstPause = Duration.milliseconds(20)
    private static let longestPause = Duration.milliseconds(500)

    let client: GatewayClient

    /// Polls until the batch is terminal.
    func watch(_ id: String) async throws -> (batch: BatchAnswer, progress: Progress) {
        var display = ProgressDisplay()
        var progress = Progress(startedAt: Self.now)
        var pause = Self.firstPause
        while true {
            let batch = try await self.client.batch(id)
            progress.update(batch, at: Self.now)
            display.show(progress)
            if batch.isTerminal {
                display.end()
                return (batch, progress)
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// Downloads what there is and says where it is.
    func fetch(_ batch: BatchAnswer, output: String, errors: String) async throws {
        for (id, path) in [(batch.output_file_id, output), (batch.error_file_id, errors)] {
            guard let id else { continue }
            try await self.client.download(id, to: path)
            print("wrote \(path)")
        }
    }

    private static var now: Double { ProcessInfo.processInfo.systemUptime }
}

extension BatchAnswer {
    /// Prints why a batch failed validation.
    func printProblems() {
        for problem in self.errors?.data ?? [] {
            let line = problem.line.map { "line \($0): " } ?? ""
            print("  \(line)\(problem.message ?? "") (\(problem.code ?? ""))")
        }
    }

    /// One line with everything that counts.
    func summary(_ progress: Progress) -> String {
        let rate = progress.elapsed > 0 ? Double(progress.done) / progress.elapsed : 0
        return "\(self.id) \(self.status): \(progress.completed) completed, \(progress.failed) failed, "
            + "\(progress.total) in all, \(String(format: "%.1f", progress.elapsed)) s, \(Int(rate)) lines/s"
    }

    /// 0 when every line succeeded.
    var exitCode: Int32 {
        self.status == "completed" && (self.request_counts?.failed ?? 0) == 0 ? 0 : 1
    }
}
