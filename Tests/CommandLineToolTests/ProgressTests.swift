import Testing

@testable import CommandLineTool

struct ProgressTests {
    private func batch(_ status: String, _ completed: Int, _ failed: Int, total: Int = 100, waiting: String? = nil)
        -> BatchAnswer
    {
        BatchAnswer(
            id: "batch_1",
            status: status,
            endpoint: "",
            created_at: 0,
            request_counts: .init(total: total, completed: completed, failed: failed),
            backfill: waiting.map { .init(waiting_reason: $0) }
        )
    }

    @Test func rateAndTimeLeftCountFromTheFirstLine() {
        var progress = Progress(startedAt: 0)
        progress.update(self.batch("validating", 0, 0, total: 0), at: 5)
        #expect(progress.line == "validating 0/0")
        progress.update(self.batch("in_progress", 0, 0), at: 10)
        progress.update(self.batch("in_progress", 18, 2), at: 12)
        #expect(progress.line == "in_progress 20/100, 10 lines/s, ETA 8s, 2 failed")
        #expect(progress.bar.hasPrefix("[####--------------------] "))
    }

    @Test func whatIsWaitedForIsSaid() {
        var progress = Progress(startedAt: 0)
        progress.update(self.batch("in_progress", 0, 0, waiting: "engine is down"), at: 1)
        #expect(progress.line == "in_progress 0/100, waiting: engine is down")
    }

    @Test(arguments: [(0.2, "1s"), (59, "59s"), (61, "1m 01s"), (3_600, "1h 00m"), (7_380, "2h 03m")])
    func timesAreShort(_ seconds: Double, _ text: String) {
        #expect(Progress.time(seconds) == text)
    }

    @Test func exitCodesTellWhetherEveryLineSucceeded() {
        #expect(self.batch("completed", 100, 0).exitCode == 0)
        #expect(self.batch("completed", 99, 1).exitCode == 1)
        #expect(self.batch("cancelled", 0, 0).exitCode == 1)
    }

    @Test(arguments: [
        ("out.jsonl", "out.errors.jsonl"), ("a.b/out", "a.b/out.errors"), ("x/.hidden", "x/.hidden.errors"),
    ])
    func errorsGoBesideTheOutput(_ output: String, _ errors: String) {
        #expect(InputFile.errorsPath(output) == errors)
    }
}
