import SchedulerCore
import SchedulerStores

/// What the schedulers share, and the faults that come from outside.
final class Cluster: @unchecked Sendable {
    // Guard: only the main thread touches it.

    let world: World
    let scenario: Scenario
    let disk: SimulatedDisk
    let store: MemoryMetadataStore
    let engines: SimulatedEngines
    let states: BatchStates
    let damage: FileDamage
    private(set) var schedulers: [SimulatedScheduler] = []
    /// Ends of processes and takeovers: each may run again what was in flight.
    private(set) var interruptions = 0
    /// Lines that damage may have cost.
    private(set) var flips = 0
    var violations: [String] = []
    /// Files that a client has asked to delete.
    var deletedFiles: Set<String> = []
    /// Asks for something about a batch as its client.
    var askClient: (_ event: Event, _ batch: BatchRecord) -> Void = { _, _ in }
    /// What an engine is to get for a line of an order; nil: there is none.
    var bodyOfLine: (_ order: Int, _ line: Int) -> String? = { _, _ in nil }

    init(world: World, scenario: Scenario) {
        self.world = world
        self.scenario = scenario
        self.disk = SimulatedDisk(world: world)
        self.store = MemoryMetadataStore(clock: LeaseClock(period: "run") { world.now })
        self.engines = SimulatedEngines(world: world)
        self.states = BatchStates(world: world, scenario: scenario)
        self.damage = FileDamage(world: world, disk: self.disk)
        self.damage.onViolation = { [unowned self] in self.violation($0) }
        self.states.observe(
            moment: { [unowned self] in self.cause($0, $1) },
            violation: { [unowned self] in self.violation($0) }
        )
        self.schedulers = ["one", "two"].map { SimulatedScheduler($0, in: self) }
        self.engines.onSend = { [unowned self] in self.checkSend($0, $1, $2) }
        self.plan(every: 20_000...90_000, self.crash)
        self.plan(every: 120_000...600_000, self.losePower)
        self.plan(every: 60_000...240_000, self.pause)
        self.plan(every: 60_000...300_000, self.fillDisk)
        self.plan(every: 60_000...300_000, self.stopEngines)
        self.plan(every: 60_000...300_000, self.slowEngines)
        self.plan(every: 60_000...400_000, self.setClock)
        self.plan(every: 60_000...300_000, self.flipBit)
        self.plan(every: 60_000...300_000, self.damage.hitAnything)
    }

    func violation(_ text: String) {
        self.violations.append("at \(self.world.now) ms: \(text)")
    }

    func died() {
        self.interruptions += 1
        self.world.coverage.crashes += 1
        self.states.hit(.crash)
    }

    /// A scheduler may end itself only when a sync failed.
    func ended(_ name: String, _ error: any Error) {
        if let error = error as? FileError, error.isFatal, error.damage == nil { return }
        if error is CancellationError { return }
        guard self.schedulers.first(where: { $0.name == name })?.process.isDead == false else { return }
        self.violation("scheduler \(name) ended by itself: \(error)")
    }

    /// Everything works again and stays so.
    func heal() {
        self.world.hasFaults = false
        self.disk.isFull = false
        self.engines.areUp = true
        self.engines.slowness = 1
        for scheduler in self.schedulers { scheduler.process.wallOffset = 0 }
        self.world.isDisturbed()
    }

    /// Schedulers' clocks may be ahead by so much.
    private static let clockTolerance: Int64 = 5_000

    /// Whether a scheduler may think that a time, in Unix seconds, has come.
    func mayBeOver(_ unixSecond: Int64) -> Bool {
        SimulatedProcess.milliseconds(untilUnixSecond: unixSecond, at: self.world.now) <= Self.clockTolerance
    }

    /// Whether the input of an order may have been deleted, or have expired.
    func mayBeGone(inputOf order: Order) -> Bool {
        order.fileID.map(self.deletedFiles.contains) ?? false || order.fileExpiresAt.map(self.mayBeOver) ?? false
    }

    // MARK: - Faults from outside

    private func plan(every range: ClosedRange<Int64>, _ fault: @escaping () -> Void) {
        self.world.after(self.world.random(range) * self.scenario.faultStretch) { [self] in
            guard self.world.hasFaults else { return }
            fault()
            self.plan(every: range, fault)
        }
    }

    var someScheduler: SimulatedScheduler { self.schedulers[Int(self.world.random() & 1)] }

    private func crash() { self.crash(self.someScheduler) }

    private func crash(_ scheduler: SimulatedScheduler) {
        guard self.world.fault(.crashAtAnyTime, 1) else { return }
        scheduler.process.kill()
    }

    /// Ends one while it does what somebody is about to ask for.
    func crashSoon() {
        self.world.after(self.world.random(0...40)) {
            guard self.world.hasFaults else { return }
            self.crash()
        }
    }

    private func losePower() {
        guard self.world.fault(.powerLoss, 1) else { return }
        self.states.hit(.powerLoss)
        for scheduler in self.schedulers { scheduler.process.kill() }
        self.disk.losePower()
    }

    private func pause() {
        self.pause([self.someScheduler], self.world.random(1_000...40_000) * self.scenario.leaseStretch)
    }

    private func pause(_ schedulers: [SimulatedScheduler], _ milliseconds: Int64) {
        guard self.world.fault(.pausedOwner, 1) else { return }
        self.states.hit(.pause)
        for scheduler in schedulers {
            self.interruptions += 1
            scheduler.process.pause(milliseconds)
        }
    }

    private func fillDisk() {
        guard self.world.fault(.diskFull, 1) else { return }
        self.states.hit(.diskFull)
        self.disk.isFull = true
        self.world.after(self.world.random(1_000...30_000)) {
            self.disk.isFull = false
            self.world.isDisturbed()
        }
    }

    private func stopEngines() {
        guard self.world.fault(.engineOutage, 1) else { return }
        self.states.hit(.outage)
        self.engines.areUp = false
        let longest = self.world.chance(0.05) ? self.scenario.longestOutage : 60_000 * self.scenario.leaseStretch
        self.world.after(self.world.random(1_000...longest)) { self.engines.areUp = true }
    }

    private func slowEngines() {
        guard self.world.fault(.slowEngine, 1) else { return }
        self.engines.slowness = 10
        self.world.after(self.world.random(1_000...60_000)) { self.engines.slowness = 1 }
    }

    private func setClock() {
        guard self.world.fault(.clockJump, 1) else { return }
        self.states.hit(.clockJump)
        let offset = [-3_600_000, -5_000, 0, 0, 5_000][Int(self.world.random() % 5)]
        for scheduler in self.schedulers { scheduler.process.wallOffset = Int64(offset) }
    }

    private func flipBit() {
        let logs = self.disk.syncedFiles { $0.hasSuffix(".log") }
        guard self.world.hasFaults, !logs.isEmpty else { return }
        let log = logs[Int(self.world.random() % UInt64(logs.count))].file
        // Behind the header.
        guard self.disk.flipBit(of: log, from: 16) else { return }
        self.world.coverage.hit(.bitFlip)
        self.flips += 1
    }

    // MARK: - Faults at chosen moments

    /// Does something to a batch, or to what it depends on, now.
    private func cause(_ event: Event, _ batch: BatchRecord) {
        switch event {
        case .crash: self.crash(self.owner(of: batch.id) ?? self.someScheduler)
        case .powerLoss: self.losePower()
        case .pause:
            self.pause(
                [self.owner(of: batch.id) ?? self.someScheduler],
                self.world.random(1_000...40_000) * self.scenario.leaseStretch
            )
        case .diskFull: self.fillDisk()
        case .outage: self.stopEngines()
        case .clockJump: self.setClock()
        case .cancel, .inputDeleted, .batchPaused, .batchResumed, .batchDeleted: self.askClient(event, batch)
        case .windowEnds:
            let left = SimulatedProcess.milliseconds(untilUnixSecond: batch.times.expiresAt, at: self.world.now)
            guard left > 0, batch.completionWindow == self.scenario.shortWindow else { return }
            self.pause(self.schedulers, left + 1_000)
        case .fileDamaged:
            if self.damage.hit(filesOf: batch) { self.states.hit(event, batch.id) }
        }
    }

    private func owner(of batchID: String) -> SimulatedScheduler? {
        let owner = self.store.liveOwner(ofClaim: ClaimKey.batch(batchID)).map { $0.prefix { $0 != "." } }
        return self.schedulers.first { owner != nil && $0.instance.map { $0[...] } == owner }
    }

    // MARK: - Seen by everybody

    /// I-08: only the owner of a batch sends its lines. I-09: none is sent after a cancel, nor in a pause. T-04: each as it was uploaded.
    private func checkSend(_ requestID: String, _ body: [UInt8], _ process: SimulatedProcess) {
        let id = "batch_" + requestID.dropFirst("batch_req_".count).prefix(32)
        let owner = self.store.liveOwner(ofClaim: ClaimKey.batch(id))
        let sender = self.schedulers.first { $0.process === process }?.instance
        if owner.map({ String($0.prefix { $0 != "." }) }) != sender || sender == nil {
            self.violation("I-08 \(sender ?? "nobody") sent \(requestID), which \(owner ?? "nobody") owns")
        }
        self.states.check(sendOf: requestID, of: id, by: process)
        let order = self.states.order(of: id)
        let line = Int(requestID.suffix(8), radix: 16)
        guard let order, let line, let wanted = self.bodyOfLine(order, line), body.elementsEqual(wanted.utf8) else {
            return self.violation("T-04 \(requestID) was sent as \(String(decoding: body, as: UTF8.self))")
        }
    }
}
