/// Exponential waiting times with jitter.
public struct BackOff: Sendable {
    /// Longest wait after the first failure. Default 50 ms.
    public var minimum: Duration
    /// Longest wait ever. Default 5 s.
    public var maximum: Duration
    /// Gives a number in 0 ... 1 for each wait: 1 waits the full time, 0 half of it.
    public var jitter: @Sendable () -> Double

    /// Sets the times.
    public init(
        minimum: Duration = .milliseconds(50),
        maximum: Duration = .seconds(5),
        jitter: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.jitter = jitter
    }

    /// The wait after a number of failures in a row, from 1 on.
    func delay(afterFailures failures: Int) -> Duration {
        let doublings = min(max(failures - 1, 0), 30)
        let full = min(self.minimum * (1 << doublings), self.maximum)
        return full * (0.5 + 0.5 * min(max(self.jitter(), 0), 1))
    }
}
