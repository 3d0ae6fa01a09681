import SchedulerCore
import SchedulerService

/// What can go wrong (anchors.md I3).
enum Fault: String, CaseIterable {
    case crashBeforeFileOperation = "T-01 crash before a file operation"
    case crashAfterFileOperation = "T-01 crash after a file operation"
    case crashBeforeTransaction = "T-01 crash before a transaction"
    case crashAfterTransaction = "T-01 crash after a transaction"
    case crashAtAnyTime = "T-01 crash at any time"
    case powerLoss = "T-02 power loss"
    case tornWrite = "T-03 torn write"
    case bitFlip = "T-04 bit flip in a result log"
    case bitFlipInInput = "T-04 bit flip in an input"
    case bitFlipInPlan = "T-04 bit flip in a plan"
    case bitFlipInOutput = "T-04 bit flip in an output or error file"
    case bitFlipInPart = "T-04 bit flip in a part of an upload"
    case bitFlipInSums = "T-04 bit flip in the checksums of a file"
    case diskFull = "T-05 disk full"
    case failedSync = "T-06 sync fails"
    case slowDisk = "T-08 slow disk"
    case crashDuringStart = "T-09 crash soon after a start"
    case engineUnreachable = "T-11 engine unreachable"
    case engineReset = "T-11 reset after the request ran"
    case engineHang = "T-12 engine hangs"
    case engineGarbage = "T-13 answer is not JSON"
    case engineBusy = "T-15 429 or 503"
    case engineError = "T-15 500"
    case engineOutage = "T-16 all engines vanish"
    case slowEngine = "T-18 engine is 10 times slower"
    case requestLost = "T-19 request lost"
    case replyLost = "T-20 reply lost after commit"
    case storeUnavailable = "T-24 store unreachable"
    case transactionUnknown = "T-24 reply of the store lost"
    case clockJump = "T-27 wall clock jumps"
    case pausedOwner = "T-28 process paused"
    case stalledOwner = "T-28 process stalled in a system call"
}

/// What clients' wishes and damage to files came to. Without these nobody would know that either was met with.
enum Effect: String, CaseIterable {
    case failedBatch = "batches failed with input_file_damaged"
    case refusedDownload = "downloads refused with file_damaged"
    case refusedCompletion = "completions of uploads refused with file_damaged"
    case completedUpload = "uploads in parts completed"
    case cancelledUpload = "uploads in parts cancelled"
    case expiredUpload = "uploads in parts refused because they have expired"
    case inlineBatch = "batches created with their lines"
    case retriedBatch = "batches of failed lines"
    case deletedBatch = "batches deleted"
    case expiredInPause = "batches that expired while they were paused"
}

/// How often each thing happened, over all runs.
final class Coverage: @unchecked Sendable {
    // Guard: only the main thread touches it.

    /// Nothing may happen less often than this.
    static let minimum = 20
    private static let nameWidth = 16
    private static let columnWidth = 12

    private var faults: [Fault: Int] = [:]
    private var effects: [Effect: Int] = [:]
    private var rareCases: [RareCase: Int] = [:]
    private var cells: [BatchStatus: [Event: Int]] = [:]
    private var endings: [String: Int] = [:]
    var crashes = 0
    var batches = 0
    var lines = 0
    var milliseconds: Int64 = 0

    func hit(_ fault: Fault) {
        self.faults[fault, default: 0] += 1
    }

    func hit(_ effect: Effect) {
        self.effects[effect, default: 0] += 1
    }

    func hit(_ rareCase: RareCase) {
        self.rareCases[rareCase, default: 0] += 1
    }

    /// Something happened while a batch was in a state.
    func hit(_ state: BatchStatus, _ event: Event) {
        self.cells[state, default: [:]][event, default: 0] += 1
    }

    func ended(_ status: String) {
        self.endings[status, default: 0] += 1
    }

    /// Batches that have ended are nobody's business but their client's.
    private static func isWanted(_ state: BatchStatus, _ event: Event) -> Bool {
        state.isTerminal ? [.cancel, .inputDeleted, .batchDeleted].contains(event) : !self.isImpossible(state, event)
    }

    /// Only what may be paused is, and goes on.
    private static func isImpossible(_ state: BatchStatus, _ event: Event) -> Bool {
        event == .batchResumed && !state.isPausable
    }

    /// The tables, and what is missing in them.
    var table: (text: String, missing: [String]) {
        var lines: [String] = []
        var missing: [String] = []
        func add(_ name: String, _ count: Int) {
            if count < Self.minimum { missing.append(name) }
            lines.append("\(Self.right("\(count)", 9))  \(name)")
        }
        for fault in Fault.allCases { add(fault.rawValue, self.faults[fault] ?? 0) }
        for effect in Effect.allCases { add(effect.rawValue, self.effects[effect] ?? 0) }
        for rareCase in RareCase.allCases { add(rareCase.rawValue, self.rareCases[rareCase] ?? 0) }
        for status in BatchStatus.allCases where status.isTerminal {
            add("batches \(status.rawValue)", self.endings[status.rawValue] ?? 0)
        }
        lines.append(Self.right("", Self.nameWidth) + self.row { $0.rawValue })
        for state in BatchStatus.allCases {
            let counts = self.cells[state] ?? [:]
            for event in Event.allCases where Self.isWanted(state, event) && counts[event, default: 0] < Self.minimum {
                missing.append("\(state.rawValue) x \(event.rawValue)")
            }
            lines.append(
                Self.right(state.rawValue, Self.nameWidth)
                    + self.row { Self.isWanted(state, $0) ? "\(counts[$0] ?? 0)" : "-" }
            )
        }
        return (lines.joined(separator: "\n"), missing)
    }

    private func row(_ text: (Event) -> String) -> String {
        Event.allCases.map { Self.right(text($0), Self.columnWidth + 2) }.joined()
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
