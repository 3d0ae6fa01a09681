import SchedulerCore
import Testing

/// Every state against every event (T-30).
struct BatchStateMachineTests {
    enum Event: CaseIterable {
        case claimed, validated, progressed, failed, cancelRequested, windowEnded, allLinesDone, assembled
        case pauseRequested, resumeRequested
    }

    static let edges: [BatchStatus: [Event: BatchStatus]] = [
        .validating: [
            .claimed: .validating, .validated: .inProgress, .failed: .failed, .cancelRequested: .cancelling,
            .windowEnded: .finalizing, .pauseRequested: .validating,
        ],
        .inProgress: [
            .claimed: .inProgress, .progressed: .inProgress, .failed: .failed, .cancelRequested: .cancelling,
            .windowEnded: .finalizing,
            .allLinesDone: .finalizing, .pauseRequested: .inProgress,
        ],
        .finalizing: [
            .claimed: .finalizing, .progressed: .finalizing, .failed: .failed, .cancelRequested: .cancelling,
            .assembled: .completed,
        ],
        .cancelling: [
            .claimed: .cancelling, .progressed: .cancelling, .failed: .failed, .assembled: .cancelled,
        ],
    ]
    static let unchanged: [BatchStatus: Set<Event>] = [
        .validating: [.resumeRequested], .inProgress: [.validated, .resumeRequested],
        .finalizing: [.windowEnded, .allLinesDone],
        .cancelling: [.cancelRequested, .windowEnded, .allLinesDone],
    ]

    private func machine(_ status: BatchStatus) throws -> BatchStateMachine {
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
        record.status = status
        if status == .cancelling { record.ending = .cancelled }
        return BatchStateMachine(record)
    }

    private func apply(_ event: Event, to machine: inout BatchStateMachine, at now: Int64) -> BatchStateMachine.Outcome
    {
        switch event {
        case .claimed: machine.claimed(segments: [SegmentReference(epoch: 1, bytes: 12)])
        case .validated: machine.validated(lines: 3, models: ["m"], at: now)
        case .progressed:
            machine.progressed(to: RequestCounts(total: 3, completed: 1), usage: TokenUsage(), waitingReason: nil)
        case .failed: machine.failed(problems: [InputProblem(code: "c", message: "m")], omitted: 0, at: now)
        case .cancelRequested: machine.cancelRequested(at: now)
        case .windowEnded: machine.windowEnded(at: now)
        case .allLinesDone: machine.allLinesDone(at: now)
        case .pauseRequested: machine.pauseRequested(at: now)
        case .resumeRequested: machine.resumeRequested()
        case .assembled:
            machine.assembled(
                AssembledOutput(counts: RequestCounts(total: 3, completed: 2, failed: 1), usage: TokenUsage()),
                at: now
            )
        }
    }

    @Test("A4-01 every state meets every event as the table says", arguments: BatchStatus.allCases, Event.allCases)
    func everyStateMeetsEveryEvent(_ status: BatchStatus, _ event: Event) throws {
        var machine = try self.machine(status)
        let before = machine
        let outcome = self.apply(event, to: &machine, at: 2_000)
        if let next = Self.edges[status]?[event] {
            #expect(outcome == .changed)
            #expect(machine.record.status == next)
        } else {
            #expect(outcome == (Self.unchanged[status]?.contains(event) == true ? .unchanged : .refused))
            #expect(machine == before)
        }
    }

    @Test("I-05 a terminal batch never changes", arguments: BatchStatus.allCases.filter(\.isTerminal))
    func terminalNeverChanges(_ status: BatchStatus) throws {
        for event in Event.allCases {
            var machine = try self.machine(status)
            let before = machine
            #expect(self.apply(event, to: &machine, at: 2_000) == .refused)
            #expect(machine == before)
        }
    }

    @Test("A1-05 times never go back, even when the clock does")
    func timesNeverGoBack() throws {
        var machine = try self.machine(.validating)
        _ = machine.validated(lines: 3, models: ["m"], at: 1_010)
        _ = machine.allLinesDone(at: 900)
        _ = self.apply(.assembled, to: &machine, at: 5)
        let times = machine.record.times
        #expect(times.inProgressAt == 1_010)
        #expect(times.finalizingAt == 1_010)
        #expect(times.completedAt == 1_010)
    }

    @Test("A4-04 a batch whose window ended is expired, with what was done")
    func windowEndedGivesExpired() throws {
        var machine = try self.machine(.inProgress)
        _ = machine.windowEnded(at: 1_100)
        #expect(machine.record.ending == .expired)
        _ = self.apply(.assembled, to: &machine, at: 1_200)
        #expect(machine.record.status == .expired)
        #expect(machine.record.times.expiredAt == 1_200)
        #expect(machine.record.counts == RequestCounts(total: 3, completed: 2, failed: 1))
        #expect(machine.record.hasOutput && machine.record.hasErrors)
    }

    @Test("a pause lasts until the client ends it, and a batch that ends is not paused", arguments: Event.allCases)
    func aPauseLasts(_ event: Event) throws {
        var machine = try self.machine(.inProgress)
        let outcomes = [machine.pauseRequested(at: 1_500), machine.pauseRequested(at: 1_600)]
        #expect(outcomes == [.changed, .unchanged] && machine.record.pausedAt == 1_500)
        _ = self.apply(event, to: &machine, at: 2_000)
        let ends: [Event] = [.failed, .cancelRequested, .windowEnded, .allLinesDone, .resumeRequested]
        #expect((machine.record.pausedAt == nil) == ends.contains(event))
    }

    @Test func aPausedBatchWaitsForNobodyButItsClient() throws {
        var machine = try self.machine(.inProgress)
        _ = machine.pauseRequested(at: 1_500)
        _ = machine.progressed(to: RequestCounts(total: 3), usage: TokenUsage(), waitingReason: "the engines are down")
        #expect(machine.record.waitingReason == nil)
    }

    @Test("A5-08 a file that would be empty does not exist")
    func emptyFilesDoNotExist() throws {
        var machine = try self.machine(.finalizing)
        let counts = RequestCounts(total: 2, completed: 0, failed: 2)
        _ = machine.assembled(AssembledOutput(counts: counts, usage: TokenUsage()), at: 3_000)
        #expect(machine.record.status == .completed)
        #expect(!machine.record.hasOutput)
        #expect(machine.record.hasErrors)
    }

    @Test("A7-10 what was found in the input stays until the batch is validated", arguments: Event.allCases)
    func findingsStayUntilValidation(_ event: Event) throws {
        var record = try self.machine(.validating).record
        record.findings = InputFileFindings(lines: 3, models: ["m"], urls: [], problems: [], problemsOmitted: 0)
        var machine = BatchStateMachine(record)
        _ = self.apply(event, to: &machine, at: 2_000)
        #expect((machine.record.findings == nil) == [.validated, .failed].contains(event))
    }

    @Test(
        "a batch that ends before its validation keeps no findings",
        arguments: [Event.cancelRequested, .windowEnded]
    )
    func findingsGoWithTheEnd(_ event: Event) throws {
        var record = try self.machine(.validating).record
        record.findings = InputFileFindings(lines: 3, models: ["m"], urls: [], problems: [], problemsOmitted: 0)
        var machine = BatchStateMachine(record)
        _ = self.apply(event, to: &machine, at: 2_000)
        _ = self.apply(.assembled, to: &machine, at: 2_000)
        #expect(machine.record.status.isTerminal)
        #expect(machine.record.findings == nil)
    }

    @Test("A1-11 the model is named when all lines name one")
    func modelIsNamedWhenThereIsOne() throws {
        var machine = try self.machine(.validating)
        _ = machine.validated(lines: 1, models: ["a", "b"], at: 1_001)
        #expect(machine.record.model == nil)
        #expect(machine.record.models == ["a", "b"])
    }
}

struct BatchRequestTests {
    @Test(
        "A2-03 windows",
        arguments: [("24h", 86_400), ("background", 2_592_000), ("1m", 60), ("7d", 604_800), ("30d", 2_592_000)]
    )
    func windowsAreRead(_ text: String, _ seconds: Int64) {
        #expect(CompletionWindow(text)?.seconds == seconds)
    }

    @Test(
        "A2-03 what is no window is refused",
        arguments: ["", "h", "24", "0h", "31d", "-1h", "1.5h", "24hh", "١h", "1 h", "Background"]
    )
    func noWindows(_ text: String) {
        #expect(CompletionWindow(text) == nil)
    }

    @Test("A1-12 metadata is bounded")
    func metadataIsBounded() {
        func param(_ metadata: [String: String]) -> String? {
            do throws(InvalidBatchRequest) {
                _ = try BatchRequest(
                    endpoint: "/v1/chat/completions",
                    completionWindow: "24h",
                    metadata: metadata,
                    outputLifetimeSeconds: nil
                )
                return nil
            } catch {
                return error.param
            }
        }
        let pairs = (0..<17).map { ("k\($0)", "v") }
        #expect(param(Dictionary(uniqueKeysWithValues: pairs.prefix(16).map { $0 })) == nil)
        #expect(param(Dictionary(uniqueKeysWithValues: pairs)) == "metadata")
        #expect(param([String(repeating: "é", count: 64): String(repeating: "é", count: 512)]) == nil)
        #expect(param([String(repeating: "k", count: 65): ""]) == "metadata")
        #expect(param(["k": String(repeating: "v", count: 513)]) == "metadata.k")
    }
}
