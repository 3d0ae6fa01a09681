/// Some of the lines of a batch: one bit each.
public struct LineSet: Sendable, Equatable {
    /// Lines of the batch.
    public let total: Int
    /// Lines in the set.
    public private(set) var count = 0
    private var words: [UInt64]

    /// None of `total` lines.
    public init(total: Int) {
        self.total = total
        self.words = Array(repeating: 0, count: (max(total, 0) + 63) / 64)
    }

    /// Whether the line is in the set.
    public func contains(_ line: Int) -> Bool {
        guard line >= 0, line < self.total else { return false }
        return self.words[line >> 6] & (1 << UInt64(line & 63)) != 0
    }

    /// Adds a line; false when it is there already or the batch does not have it.
    @discardableResult
    public mutating func insert(_ line: Int) -> Bool {
        guard line >= 0, line < self.total, !self.contains(line) else { return false }
        self.words[line >> 6] |= 1 << UInt64(line & 63)
        self.count += 1
        return true
    }

    /// The first line at or after `line` that is in the set; `total` when there is none.
    public func first(from line: Int) -> Int { self.first(from: line, inverting: 0) }

    /// The first line at or after `line` that is not in the set; `total` when there is none.
    public func firstMissing(from line: Int) -> Int { self.first(from: line, inverting: ~0) }

    private func first(from line: Int, inverting mask: UInt64) -> Int {
        var word = max(line, 0) >> 6
        var found = word < self.words.count ? (self.words[word] ^ mask) & (~0 << UInt64(max(line, 0) & 63)) : 0
        while found == 0 {
            word += 1
            guard word < self.words.count else { return self.total }
            found = self.words[word] ^ mask
        }
        return min(word << 6 + found.trailingZeroBitCount, self.total)
    }
}
