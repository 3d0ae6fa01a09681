/// How far a job is, derived from its result log: which lines have a record, and the sums over them.
///
/// One bit a line; of several records of one line the first counts.
public struct LineProgress: Sendable, Equatable {
    /// Lines of the job.
    public var total: Int { self.done.total }
    /// Lines with an answer of status 2xx.
    public private(set) var completed = 0
    /// Lines with another outcome.
    public private(set) var failed = 0
    /// Tokens of all answers.
    public private(set) var usage = TokenUsage()
    /// The lines that have a record.
    public private(set) var done: LineSet

    /// Nothing done yet.
    public init(total: Int) {
        self.done = LineSet(total: total)
    }

    /// Whether every line has a record.
    public var isComplete: Bool { self.completed + self.failed == self.total }

    /// Whether the line has a record.
    public func isDone(_ line: Int) -> Bool { self.done.contains(line) }

    /// The first line at or after `line` that has no record; `total` when there is none.
    public func firstOpenLine(from line: Int) -> Int { self.done.firstMissing(from: line) }

    /// Takes note of a record; false when the line has one already or does not exist.
    public mutating func record(line: Int, succeeded: Bool, usage: TokenUsage) -> Bool {
        guard self.done.insert(line) else { return false }
        if succeeded {
            self.completed += 1
        } else {
            self.failed += 1
        }
        self.usage += usage
        return true
    }
}
