/// How far a job is, derived from its result log: which lines have a record, and the sums over them.
///
/// One bit a line; of several records of one line the first counts.
public struct LineProgress: Sendable, Equatable {
    /// Lines of the job.
    public let total: Int
    /// Lines with an answer of status 2xx.
    public private(set) var completed = 0
    /// Lines with another outcome.
    public private(set) var failed = 0
    /// Tokens of all answers.
    public private(set) var usage = TokenUsage()
    private var done: [UInt64]

    /// Nothing done yet.
    public init(total: Int) {
        self.total = total
        self.done = Array(repeating: 0, count: (total + 63) / 64)
    }

    /// Whether every line has a record.
    public var isComplete: Bool { self.completed + self.failed == self.total }

    /// Whether the line has a record.
    public func isDone(_ line: Int) -> Bool {
        guard line >= 0, line < self.total else { return false }
        return self.done[line >> 6] & (1 << UInt64(line & 63)) != 0
    }

    /// The first line at or after `line` that has no record; `total` when there is none.
    public func firstOpenLine(from line: Int) -> Int {
        var word = max(line, 0) >> 6
        var open = word < self.done.count ? ~self.done[word] & (~0 << UInt64(max(line, 0) & 63)) : 0
        while open == 0 {
            word += 1
            guard word < self.done.count else { return self.total }
            open = ~self.done[word]
        }
        return min(word << 6 + open.trailingZeroBitCount, self.total)
    }

    /// Takes note of a record; false when the line has one already or does not exist.
    public mutating func record(line: Int, succeeded: Bool, usage: TokenUsage) -> Bool {
        guard line >= 0, line < self.total, !self.isDone(line) else { return false }
        self.done[line >> 6] |= 1 << UInt64(line & 63)
        if succeeded {
            self.completed += 1
        } else {
            self.failed += 1
        }
        self.usage += usage
        return true
    }
}
