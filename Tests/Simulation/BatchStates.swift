import SchedulerCore

/// What happens while a batch is in some state (T-30).
enum Event: String, CaseIterable {
    case crash
    case powerLoss = "power loss"
    case pause
    case diskFull = "disk full"
    case outage
    case clockJump = "clock jump"
    case cancel
    case inputDeleted = "input deleted"
    case batchPaused = "batch paused"
    case batchResumed = "batch resumed"
    case batchDeleted = "batch deleted"
    case windowEnds = "window ends"
    case fileDamaged = "file damaged"
}

/// Follows the state of every batch in the store: chooses moments for faults, since chance alone would hardly ever meet
/// the short states, and checks what has a time limit.
final class BatchStates: @unchecked Sendable {
    // Guard: only the main thread touches it.

    private static let cancelTick: Int64 = 2_000
    private static let cancelBound: Int64 = 5_000
    private static let pauseTick: Int64 = 2_000
    private static let expiryBound: Int64 = 60_000
    /// So long after something went wrong there is an owner again, in any case.
    private static let recovery: Int64 = 30_000

    /// A pause that is stored.
    private struct Pause {
        let since: Int64
        /// Whoever takes the batch up later knows of it.
        let epoch: UInt32
        /// Who has told the client.
        var teller: SimulatedProcess?
    }

    private let world: World
    private let scenario: Scenario
    private var current: [String: BatchRecord] = [:]
    private var cancelledAt: [String: Int64] = [:]
    /// By order.
    private var batches: [Int: String] = [:]
    private var pauses: [String: Pause] = [:]
    private var onMoment: (Event, BatchRecord) -> Void = { _, _ in }
    private var onViolation: (String) -> Void = { _ in }

    init(world: World, scenario: Scenario) {
        self.world = world
        self.scenario = scenario
    }

    func observe(moment: @escaping (Event, BatchRecord) -> Void, violation: @escaping (String) -> Void) {
        self.onMoment = moment
        self.onViolation = violation
    }

    /// Where a batch stands in the store.
    func status(of id: String) -> BatchStatus? { self.current[id]?.status }

    /// The order that a batch was made for.
    func order(of id: String) -> Int? { self.current[id]?.metadata["order"].flatMap { Int($0) } }

    /// The batch that was made for an order.
    func batch(ofOrder order: Int) -> String? { self.batches[order] }

    /// A client was told that a batch is paused.
    func pauseWasTold(by process: SimulatedProcess, of id: String) { self.pauses[id]?.teller = process }

    /// Something happens to all batches that have not ended.
    func hit(_ event: Event) {
        for (_, batch) in self.current where !batch.status.isTerminal {
            self.world.coverage.hit(batch.status, event)
        }
    }

    /// Something happens to one batch.
    func hit(_ event: Event, _ id: String) {
        guard let status = self.status(of: id) else { return }
        self.world.coverage.hit(status, event)
    }

    /// A batch was stored.
    func note(_ batch: BatchRecord) {
        let before = self.current.updateValue(batch, forKey: batch.id)
        self.notePause(of: batch, before)
        guard before?.status != batch.status else { return }
        if before == nil {
            self.watchWindow(of: batch)
            if let order = self.order(of: batch.id) { self.batches[order] = batch.id }
        }
        if before?.status.isTerminal ?? false {
            self.onViolation("I-05 \(batch.id) went from \(before?.status.rawValue ?? "") to \(batch.status)")
        }
        if batch.status == .cancelling { self.cancelledAt[batch.id] = self.world.now }
        self.checkBounds(batch)
        self.chooseMoment(batch)
    }

    private func notePause(of batch: BatchRecord, _ before: BatchRecord?) {
        guard batch.pausedAt != before?.pausedAt else { return }
        self.pauses[batch.id] = batch.pausedAt.map { _ in Pause(since: self.world.now, epoch: batch.epoch) }
        if batch.pausedAt == nil, batch.status.isPausable { self.hit(.batchResumed, batch.id) }
        if before?.pausedAt != nil, batch.ending == .expired { self.world.coverage.hit(.expiredInPause) }
    }

    private func watchWindow(of batch: BatchRecord) {
        let left = SimulatedProcess.milliseconds(untilUnixSecond: batch.times.expiresAt, at: self.world.now)
        self.world.after(left) { self.hit(.windowEnds, batch.id) }
    }

    private func chooseMoment(_ batch: BatchRecord) {
        let (probability, longest): (Double, Int64) =
            switch batch.status {
            case .validating: (0.7, 600)
            case .inProgress: (0.2, 3_000)
            case .finalizing: (0.4, 3)
            case .cancelling: (0.9, 3)
            // Before its client has what it asked for.
            case .completed, .expired, .cancelled: (0.08, 20_000)
            case .failed: (0, 0)
            }
        guard self.world.hasFaults, self.world.chance(probability) else { return }
        let event = self.chooseEvent(batch)
        self.world.after(self.world.random(0...longest)) {
            guard self.world.hasFaults, self.status(of: batch.id) == batch.status else { return }
            self.onMoment(event, batch)
        }
    }

    /// Others hit all batches there are, so each of them sees those more often.
    private static let eventsOfOneBatch = [
        Event.cancel, .inputDeleted, .batchPaused, .batchPaused, .batchDeleted, .batchDeleted, .fileDamaged,
    ]
    private static let events = Event.allCases.filter { ![.batchPaused, .batchResumed, .batchDeleted].contains($0) }

    private func chooseEvent(_ batch: BatchRecord) -> Event {
        guard !batch.status.isTerminal else { return .fileDamaged }
        // Only a batch with a short window can see its end, so it shall.
        let seesItsEnd = batch.completionWindow == self.scenario.shortWindow
        if seesItsEnd, self.world.chance(batch.status == .cancelling ? 0.8 : 0.5) { return .windowEnds }
        let events = self.world.chance(0.5) ? Self.eventsOfOneBatch : Self.events
        return events[Int(self.world.random() % UInt64(events.count))]
    }

    // MARK: - Bounds, where nothing has gone wrong meanwhile

    private func checkBounds(_ batch: BatchRecord) {
        if batch.status == .cancelled, let asked = self.cancelledAt[batch.id] {
            self.check("I-09 \(batch.id) was cancelled", since: asked, within: Self.cancelBound)
        }
        if batch.status == .expired {
            let left = SimulatedProcess.milliseconds(untilUnixSecond: batch.times.expiresAt, at: self.world.now)
            self.check("I-10 \(batch.id) expired", since: self.world.now + left, within: Self.expiryBound)
        }
    }

    /// A line of a batch is sent.
    func check(sendOf requestID: String, of id: String, by process: SimulatedProcess) {
        if let asked = self.cancelledAt[id] {
            self.check(
                "I-09 \(requestID) was sent though its batch was cancelled",
                since: asked,
                within: Self.cancelTick
            )
        }
        guard let pause = self.pauses[id], let epoch = self.current[id]?.epoch else { return }
        let what = "\(requestID) was sent though its batch is paused"
        if epoch > pause.epoch { self.onViolation("\(what), which was so when it was taken up") }
        if process === pause.teller { self.onViolation("\(what), as its owner has told") }
        self.check(what, since: pause.since, within: Self.pauseTick)
    }

    /// Something happens now that has a bound, unless something went wrong.
    private func check(_ what: String, since begin: Int64, within bound: Int64) {
        let stretch = self.scenario.leaseStretch
        guard self.world.now - begin > bound * stretch, self.world.wasQuiet(since: begin - Self.recovery * stretch)
        else { return }
        self.onViolation("\(what), \(self.world.now - begin) ms later")
    }
}

extension BatchStatus {
    var isPausable: Bool { self == .validating || self == .inProgress }
}
