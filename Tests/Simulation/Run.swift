import SchedulerCore

/// One seed from an empty disk to the last check.
final class Run {
    private let options: Options
    private let world: World
    private let cluster: Cluster
    private let workload: Workload

    init(seed: UInt64, options: Options, coverage: Coverage) {
        ObjectID.restartSequence()
        self.options = options
        self.world = World(seed: seed, coverage: coverage)
        self.cluster = Cluster(world: self.world, scenario: options.scenario)
        self.workload = Workload(cluster: self.cluster)
    }

    var violations: [String] { self.cluster.violations }

    var summary: String {
        "\(self.violations.isEmpty ? "ok" : "FAILED"), \(self.workload.orders.count) batches,"
            + " \(self.cluster.engines.totalExecutions) executions, \(self.cluster.interruptions) interruptions,"
            + " \(self.world.now / 1_000) s, fingerprint \(self.world.fingerprint)"
    }

    func toEnd() {
        let scenario = self.options.scenario
        self.workload.place(self.options.batches, meanLines: self.options.lines)
        // Safety: whatever goes wrong, what is told and delivered is right.
        self.world.run(until: scenario.faulty)
        // Liveness: nothing goes wrong any more, so everything must end.
        self.cluster.heal()
        let end = self.world.now + scenario.healing
        self.world.run(until: end) { self.workload.isDone }
        // Housekeeping: some sweeps later there is nothing that nobody needs.
        self.world.run(until: self.world.now + scenario.sweeping)
        FinalChecks(cluster: self.cluster, workload: self.workload).run()
        self.world.coverage.milliseconds += self.world.now
    }
}
