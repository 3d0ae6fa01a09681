/// How dense the work and the faults of a run are. Pauses of the schedulers are in proportion to their lease, so that a
/// long lease makes long times cheap.
struct Scenario {
    let name: String
    /// Orders are placed in this time; things go wrong in the next; then everything must end in the third.
    let load: Int64
    let faulty: Int64
    let healing: Int64
    let lease: Duration
    let sweepInterval: Duration
    let uploadLifetime: Duration
    /// The window of a batch that may expire.
    let shortWindow: String
    /// Whether a batch with a window of a day may expire, too.
    let mayOutlastADay: Bool
    /// Time between faults from outside, and between a client's questions, as a multiple of a dense run's.
    let faultStretch: Int64
    let clientStretch: Int64
    let longestOutage: Int64

    /// Time between the beginnings of two sweeps, some times.
    var sweeping: Int64 { 4 * Int64(self.sweepInterval / .milliseconds(1)) }
    /// The lease as a multiple of the default one.
    var leaseStretch: Int64 { Int64(self.lease / .seconds(10)) }

    /// Something goes wrong every few seconds for an hour.
    static let dense = Scenario(
        name: "dense",
        load: 1_800_000,
        faulty: 3_600_000,
        healing: 7_200_000,
        lease: .seconds(10),
        sweepInterval: .seconds(600),
        uploadLifetime: .seconds(300),
        shortWindow: "1m",
        mayOutlastADay: false,
        faultStretch: 1,
        clientStretch: 1,
        longestOutage: 3_600_000
    )

    /// Sixty days with a fault every few hours, and engines that are gone for a day.
    static let long = Scenario(
        name: "long",
        load: 50 * Self.day,
        faulty: 60 * Self.day,
        healing: 10 * Self.day,
        lease: .seconds(600),
        sweepInterval: .seconds(7_200),
        uploadLifetime: .seconds(3_600),
        shortWindow: "6h",
        mayOutlastADay: true,
        faultStretch: 360,
        clientStretch: 120,
        longestOutage: 2 * Self.day
    )

    static let all = [Self.dense, Self.long]
    private static let day: Int64 = 86_400_000
}
