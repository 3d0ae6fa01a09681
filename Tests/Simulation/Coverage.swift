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

/// How often each thing happened, over all runs.
final class Coverage: @unchecked Sendable {
    // Guard: only the main thread touches it.

    /// A cell of the table may not be hit less often than this.
    static let minimum = 20

    private(set) var faults: [Fault: Int] = [:]
    private(set) var cells: [String: Int] = [:]
    private(set) var endings: [String: Int] = [:]
    var crashes = 0
    var batches = 0
    var lines = 0
    var milliseconds: Int64 = 0

    func hit(_ fault: Fault) {
        self.faults[fault, default: 0] += 1
    }

    /// Something happened while a batch was in a state.
    func hit(state: String, event: String) {
        self.cells["\(state) x \(event)", default: 0] += 1
    }

    func ended(_ status: String) {
        self.endings[status, default: 0] += 1
    }

    /// The table, and whether every cell that is wanted was hit often enough.
    func table(wanted: [String]) -> (text: String, isComplete: Bool) {
        var lines: [String] = []
        var isComplete = true
        func add(_ name: String, _ count: Int, isWanted: Bool) {
            let isShort = isWanted && count < Self.minimum
            if isShort { isComplete = false }
            lines.append(
                "\(String(repeating: " ", count: max(0, 9 - "\(count)".count)))\(count)  \(name)"
                    + (isShort ? "   TOO FEW" : "")
            )
        }
        for fault in Fault.allCases { add(fault.rawValue, self.faults[fault] ?? 0, isWanted: true) }
        for cell in Set(wanted).union(self.cells.keys).sorted() {
            add(cell, self.cells[cell] ?? 0, isWanted: wanted.contains(cell))
        }
        for status in ["completed", "failed", "expired", "cancelled"] {
            add("batches \(status)", self.endings[status] ?? 0, isWanted: true)
        }
        return (lines.joined(separator: "\n"), isComplete)
    }
}
