import SchedulerCore

/// One seed from an empty disk to the last check.
final class Run {
    /// What must happen to batches in which states.
    static let wantedCells: [String] = ["validating", "in_progress", "finalizing", "cancelling"].flatMap { state in
        ["crash"].map { "\(state) x \($0)" }
    }
    private static let loadMilliseconds: Int64 = 1_800_000
    private static let faultyMilliseconds: Int64 = 3_600_000
    private static let healingMilliseconds: Int64 = 7_200_000
    private static let sweepMilliseconds: Int64 = 2_400_000

    private let options: Options
    private let world: World
    private let cluster: Cluster
    private let workload: Workload

    init(seed: UInt64, options: Options, coverage: Coverage) {
        ObjectID.restartSequence()
        self.options = options
        self.world = World(seed: seed, coverage: coverage)
        self.cluster = Cluster(world: self.world)
        self.workload = Workload(cluster: self.cluster)
    }

    var violations: [String] { self.cluster.violations }

    var summary: String {
        "\(self.violations.isEmpty ? "ok" : "FAILED"), \(self.workload.orders.count) batches,"
            + " \(self.cluster.engines.totalExecutions) executions, \(self.cluster.interruptions) interruptions,"
            + " \(self.world.now / 1_000) s, fingerprint \(self.world.fingerprint)"
    }

    func toEnd() {
        self.workload.place(
            self.options.batches,
            meanLines: self.options.lines,
            over: Self.loadMilliseconds
        )
        // Safety: whatever goes wrong, what is told and delivered is right.
        self.world.run(until: Self.faultyMilliseconds)
        // Liveness: nothing goes wrong any more, so everything must end.
        self.cluster.heal()
        let end = self.world.now + Self.healingMilliseconds
        self.world.run(until: end) { self.workload.isDone }
        // Housekeeping: two sweeps later there is nothing that nobody needs.
        self.world.run(until: self.world.now + Self.sweepMilliseconds)
        FinalChecks(cluster: self.cluster, workload: self.workload).run()
        self.world.coverage.milliseconds += self.world.now
    }
}
