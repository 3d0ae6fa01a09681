import Glibc

/// The two clocks the scheduler reads. Intervals use the monotonic one, times of the API the wall clock.
public struct SystemTime: Sendable {
    /// Now, in milliseconds of a clock that never jumps.
    public let monotonicMilliseconds: @Sendable () -> Int64
    /// Now, in milliseconds since 1970.
    public let unixMilliseconds: @Sendable () -> Int64

    /// Injects clocks.
    public init(
        monotonicMilliseconds: @escaping @Sendable () -> Int64,
        unixMilliseconds: @escaping @Sendable () -> Int64
    ) {
        self.monotonicMilliseconds = monotonicMilliseconds
        self.unixMilliseconds = unixMilliseconds
    }

    /// Now, in seconds since 1970.
    public var unixSeconds: Int64 { self.unixMilliseconds() / 1_000 }

    /// The machine's clocks.
    public static let system = SystemTime(
        monotonicMilliseconds: { Self.read(CLOCK_MONOTONIC) },
        unixMilliseconds: { Self.read(CLOCK_REALTIME) }
    )

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
