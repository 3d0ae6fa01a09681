import NIOCore

/// Whether a client sends a body fast enough. Only time in which this side waits for bytes counts, cut into periods each of
/// which must bring what the rate asks for.
struct BodyPace {
    private let period: TimeAmount
    private let bytesPerPeriod: Double
    private var waited = TimeAmount.zero
    private var bytes = 0

    /// - Parameter bytesPerSecond: least that must come; 0: any pace will do.
    init(bytesPerSecond: Int, period: TimeAmount) {
        self.period = period
        self.bytesPerPeriod = Double(max(bytesPerSecond, 0)) * Double(max(period.nanoseconds, 0)) / 1e9
    }

    /// A body begins.
    mutating func begin() {
        self.waited = .zero
        self.bytes = 0
    }

    /// Bytes of it came.
    mutating func received(bytes: Int) {
        self.bytes += bytes
    }

    /// This side has waited that much longer for bytes.
    mutating func isTooSlow(after time: TimeAmount) -> Bool {
        self.waited = self.waited + time
        guard self.waited >= self.period else { return false }
        defer { self.begin() }
        return Double(self.bytes) < self.bytesPerPeriod
    }
}
