import Glibc

/// The clocks that the scheduler reads, and waiting. Intervals use the monotonic clock, leases the one that also counts
/// while the machine sleeps, times of the API the wall clock.
package struct SystemTime: Sendable {
    /// Now, in milliseconds of a clock that never jumps.
    package let monotonicMilliseconds: @Sendable () -> Int64
    /// Now, in milliseconds since the machine started, sleep included.
    package let bootMilliseconds: @Sendable () -> Int64
    /// Now, in milliseconds since 1970.
    package let unixMilliseconds: @Sendable () -> Int64
    /// Waits; throws `CancellationError` when the task is cancelled.
    package let sleep: @Sendable (Duration) async throws -> Void

    /// Injects clocks.
    package init(
        monotonicMilliseconds: @escaping @Sendable () -> Int64,
        bootMilliseconds: @escaping @Sendable () -> Int64,
        unixMilliseconds: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.monotonicMilliseconds = monotonicMilliseconds
        self.bootMilliseconds = bootMilliseconds
        self.unixMilliseconds = unixMilliseconds
        self.sleep = sleep
    }

    /// Now, in seconds since 1970.
    package var unixSeconds: Int64 { self.unixMilliseconds() / 1_000 }

    /// Now, in seconds of a clock that never jumps.
    var monotonicSeconds: Int64 { self.monotonicMilliseconds() / 1_000 }

    /// The machine's clocks.
    package static let system = SystemTime(
        monotonicMilliseconds: { Self.read(CLOCK_MONOTONIC) },
        bootMilliseconds: { Self.read(CLOCK_BOOTTIME) },
        unixMilliseconds: { Self.read(CLOCK_REALTIME) },
        sleep: { try await Task.sleep(for: $0) }
    )

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
