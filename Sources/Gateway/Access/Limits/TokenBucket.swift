/// A bucket that holds as much as may be used in a minute and fills up within one, evenly.
struct TokenBucket: Sendable, Equatable {
    private static let minute = 60.0

    /// What it holds when it is full.
    private(set) var capacity: Int
    /// What is in it; below zero after a request for more than it holds.
    private var level: Double
    /// When `level` was right, on a clock that only moves forward.
    private var time: Duration

    /// A full one.
    init(capacity: Int, now: Duration) {
        self.capacity = capacity
        self.level = Double(capacity)
        self.time = now
    }

    /// Whole units in it.
    var remaining: Int { max(0, Int(self.level)) }

    /// Whether it is as a new one would be.
    var isFull: Bool { self.level >= Double(self.capacity) }

    /// Time until it is full.
    var untilFull: Duration { self.time(for: Double(self.capacity) - self.level) }

    /// Lets what has come in since the last look flow in. A changed capacity counts from now on, for what is owed too: that
    /// is paid back within a minute, however much it was under a higher limit.
    mutating func advance(to now: Duration, capacity: Int) {
        let seconds = max(0, (now - self.time) / .seconds(1))
        self.time = max(self.time, now)
        self.level += seconds * Double(self.capacity) / Self.minute
        self.capacity = capacity
        self.level = max(min(self.level, Double(capacity)), -Double(capacity))
    }

    /// How long to wait until `amount` can be taken, zero when it can be now; nil when nothing ever can. More than the
    /// bucket holds is taken when it is full, so that a large request is not refused for ever.
    func wait(for amount: Int) -> Duration? {
        guard amount > 0 else { return .zero }
        guard self.capacity > 0 else { return nil }
        let missing = Double(min(amount, self.capacity)) - self.level
        // What is left of a unit by rounding is not waited for.
        return missing <= 1e-6 ? .zero : self.time(for: missing)
    }

    /// Takes an amount, however much is there, and tells what was taken: a single use is paid back within a minute.
    @discardableResult
    mutating func take(_ amount: Int) -> Double {
        let before = self.level
        self.level = max(before - Double(amount), min(before, -Double(self.capacity)))
        return before - self.level
    }

    /// Takes what was really used in the place of what was taken for it.
    mutating func settle(taken: Double, used: Int) {
        self.level = min(Double(self.capacity), self.level + taken)
        self.take(used)
    }

    private func time(for amount: Double) -> Duration {
        guard amount > 0, self.capacity > 0 else { return .zero }
        return .seconds(amount * Self.minute / Double(self.capacity))
    }
}
