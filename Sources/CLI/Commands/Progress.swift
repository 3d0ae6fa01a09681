/// How a batch gets on, as text. Pure: times are seconds of any clock that never jumps.
struct Progress: Sendable {
    private static let barWidth = 24

    private(set) var status = ""
    private(set) var total = 0
    private(set) var completed = 0
    private(set) var failed = 0
    private(set) var waitingReason: String?
    private let startedAt: Double
    private var firstDone: (time: Double, done: Int)?
    private var now: Double

    init(startedAt: Double) {
        self.startedAt = startedAt
        self.now = startedAt
    }

    /// Takes note of an answer.
    mutating func update(_ batch: BatchAnswer, at now: Double) {
        self.now = now
        self.status = batch.status
        self.total = batch.request_counts?.total ?? 0
        self.completed = batch.request_counts?.completed ?? 0
        self.failed = batch.request_counts?.failed ?? 0
        self.waitingReason = batch.backfill?.waiting_reason
        if self.firstDone == nil, self.status == "in_progress" { self.firstDone = (now, self.done) }
    }

    /// Lines with an outcome.
    var done: Int { self.completed + self.failed }
    /// Seconds since the start.
    var elapsed: Double { self.now - self.startedAt }

    /// Lines a second since lines began to run; nil until that can be told.
    var rate: Double? {
        guard let first = self.firstDone, self.now > first.time, self.done > first.done else { return nil }
        return Double(self.done - first.done) / (self.now - first.time)
    }

    /// Seconds until the last line, at the rate so far.
    var remaining: Double? {
        guard let rate = self.rate, self.done < self.total else { return nil }
        return Double(self.total - self.done) / rate
    }

    /// One line with a bar, for a terminal.
    var bar: String {
        let filled = self.total > 0 ? Self.barWidth * self.done / self.total : 0
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: Self.barWidth - filled)
        return "[\(bar)] \(self.line)"
    }

    /// One plain line.
    var line: String {
        var parts = ["\(self.status) \(self.done)/\(self.total)"]
        if let rate = self.rate { parts.append("\(Int(rate.rounded())) lines/s") }
        if let remaining = self.remaining { parts.append("ETA \(Self.time(remaining))") }
        if self.failed > 0 { parts.append("\(self.failed) failed") }
        if let reason = self.waitingReason { parts.append("waiting: \(reason)") }
        return parts.joined(separator: ", ")
    }

    /// `42s`, `3m 05s` or `2h 10m`.
    static func time(_ seconds: Double) -> String {
        let whole = Int(min(max(seconds, 0), 1e9).rounded(.up))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if whole < 60 { return "\(whole)s" }
        if whole < 3_600 { return "\(whole / 60)m \(two(whole % 60))s" }
        return "\(whole / 3_600)h \(two(whole / 60 % 60))m"
    }
}
