import SchedulerCore
import Testing

struct BatchProgressTests {
    @Test("I-06 counts never go down, even when damage cost some lines")
    func countsNeverGoDown() throws {
        let window = try #require(CompletionWindow("24h"))
        var record = BatchRecord(
            id: "batch_1",
            tenant: "default",
            endpoint: "/v1/chat/completions",
            inputFileID: "file-1",
            completionWindow: window,
            outputFileID: "file-2",
            errorFileID: "file-3",
            createdAt: 1_000,
            metadata: [:],
            outputLifetimeSeconds: nil
        )
        record.status = .inProgress
        record.counts = RequestCounts(total: 9, completed: 5, failed: 2)
        record.usage = TokenUsage(totalTokens: 70)
        for (completed, failed) in [(4, 2), (5, 1), (6, 1)] {
            var machine = BatchStateMachine(record)
            let fewer = RequestCounts(total: 9, completed: completed, failed: failed)
            let outcome = machine.progressed(to: fewer, usage: TokenUsage(totalTokens: 60), waitingReason: nil)
            #expect(outcome == .unchanged)
            #expect(machine.record == record)
        }
        var machine = BatchStateMachine(record)
        let more = RequestCounts(total: 9, completed: 6, failed: 2)
        #expect(machine.progressed(to: more, usage: TokenUsage(totalTokens: 80), waitingReason: nil) == .changed)
        #expect(machine.record.counts == more)
    }
}
