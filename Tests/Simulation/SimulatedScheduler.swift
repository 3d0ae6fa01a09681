import Logging
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerEngines
import SchedulerService
import SchedulerStores

/// A scheduler that is started again whenever it ends, with the code of the real one on simulated ground.
final class SimulatedScheduler: @unchecked Sendable {
    // Guard: only the main thread touches it.

    static let engineConcurrency = 64
    /// Whether the schedulers' logs are printed; for replays.
    static let isLogging = CommandLine.arguments.contains("--log")

    let name: String
    let cluster: Cluster
    private(set) var process: SimulatedProcess
    private(set) var node: SchedulerNode?
    private var starts = 0
    private var calls: [UInt64: (RPCError) -> Void] = [:]
    private var callCount: UInt64 = 0
    private var world: World { self.cluster.world }

    init(_ name: String, in cluster: Cluster) {
        self.name = name
        self.cluster = cluster
        self.process = SimulatedProcess(name, in: cluster.world)
        self.start()
    }

    var instance: String? { self.node?.instance }

    // MARK: - Life

    private func start() {
        let process = self.process
        self.starts += 1
        if self.starts > 1, self.world.fault(.crashDuringStart, 0.05) {
            self.world.after(self.world.random(0...300)) { process.kill() }
        }
        let world = self.world
        let platform = Platform(
            files: SimulatedFileSystem(disk: self.cluster.disk, process: process),
            threads: SimulatedThreads(process: process),
            commitThreads: SimulatedThreads(process: process),
            time: process.time,
            random: { world.random() },
            endsGracefully: false
        )
        let parts = SchedulerNode.Parts(
            store: SimulatedStore(store: self.cluster.store, process: process),
            dataDirectory: "/data",
            engines: (0..<2).map {
                SimulatedEngine(
                    address: EngineAddress(url: "http://engine-\($0)"),
                    engines: self.cluster.engines,
                    process: process
                )
            },
            platform: platform
        )
        var configuration = SchedulerConfiguration(dataDirectory: "/data")
        configuration.engineConcurrency = Self.engineConcurrency
        configuration.maximumRunningBatches = 16
        let task = Task(executorPreference: process) { [configuration] in
            do {
                let logger = Logger(label: process.name) { label -> any LogHandler in
                    if Self.isLogging { return StreamLogHandler.standardOutput(label: label) }
                    return SwiftLogNoOpLogHandler()
                }
                let node = try await SchedulerNode(parts, configuration: configuration, logger: logger)
                self.node = node
                try await SchedulerNode.runTogether(node.services)
            } catch {
                self.cluster.ended(self.name, error)
            }
            process.post { self.exited(process) }
        }
        process.whenDead {
            task.cancel()
            self.cluster.died()
            self.failCalls()
        }
    }

    /// The process has unwound; another one is started after a while.
    private func exited(_ process: SimulatedProcess) {
        process.kill()
        self.node = nil
        self.world.retire(process)
        self.process = SimulatedProcess(self.name, in: self.world)
        self.process.wallOffset = process.wallOffset
        self.world.after(self.world.hasFaults ? self.world.random(10...20_000) : 10) { self.start() }
    }

    // MARK: - Calls

    /// Calls a method as if over the network; `onAnswer` is called once.
    func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        metadata: [(String, String)],
        onAnswer: @escaping (Result<Response, RPCError>) -> Void
    ) {
        guard let node = self.node, !self.process.isDead else {
            return onAnswer(.failure(RPCError(code: .unavailable, message: "not connected", notSent: true)))
        }
        self.callCount += 1
        let key = self.callCount
        self.calls[key] = { onAnswer(.failure($0)) }
        let process = self.process
        let context = RPCContext(metadata: RPCMetadata(metadata))
        let isLost = self.world.fault(.replyLost, Probability.lostMessage)
        let answer = UncheckedBox { (result: Result<Response, RPCError>) in
            guard !process.isDead else { return }
            self.world.after(self.world.random(0...2)) {
                guard self.calls.removeValue(forKey: key) != nil else { return }
                onAnswer(isLost ? .failure(RPCError(code: .unavailable, message: "the reply was lost")) : result)
            }
        }
        Task(executorPreference: process) {
            do {
                answer.value(.success(try await node.router.call(method, request, context: context)))
            } catch {
                answer.value(.failure(error as? RPCError ?? RPCError(code: .internal, message: "\(error)")))
            }
        }
        self.world.after(30_000) {
            self.calls.removeValue(forKey: key)?(RPCError(code: .deadlineExceeded, message: "no answer"))
        }
    }

    private func failCalls() {
        let calls = self.calls
        self.calls = [:]
        for key in calls.keys.sorted() {
            calls[key]?(RPCError(code: .unavailable, message: "the connection broke"))
        }
    }
}

/// Carries a closure into a task of the same thread.
struct UncheckedBox<Value>: @unchecked Sendable {
    // Guard: everything here runs on the main thread.
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}

/// What the schedulers share, and the faults that come from outside.
final class Cluster: @unchecked Sendable {
    // Guard: only the main thread touches it.

    let world: World
    let disk: SimulatedDisk
    let store: MemoryMetadataStore
    let engines: SimulatedEngines
    private(set) var schedulers: [SimulatedScheduler] = []
    /// Ends of processes and takeovers: each may run again what was in flight.
    private(set) var interruptions = 0
    /// Lines that damage may have cost.
    private(set) var flips = 0
    var violations: [String] = []

    init(world: World) {
        self.world = world
        self.disk = SimulatedDisk(world: world)
        self.store = MemoryMetadataStore(clock: LeaseClock(period: "run") { world.now })
        self.engines = SimulatedEngines(world: world)
        self.schedulers = ["one", "two"].map { SimulatedScheduler($0, in: self) }
        self.engines.onSend = { [unowned self] in self.checkSend($0, $1) }
        self.plan(every: 20_000...90_000, self.crash)
        self.plan(every: 120_000...600_000, self.losePower)
        self.plan(every: 60_000...240_000, self.pause)
        self.plan(every: 60_000...300_000, self.fillDisk)
        self.plan(every: 60_000...300_000, self.stopEngines)
        self.plan(every: 60_000...300_000, self.slowEngines)
        self.plan(every: 60_000...400_000, self.setClock)
        self.plan(every: 60_000...300_000, self.flipBit)
    }

    func violation(_ text: String) {
        self.violations.append("at \(self.world.now) ms: \(text)")
    }

    func died() {
        self.interruptions += 1
        self.world.coverage.crashes += 1
        self.noteStates("crash")
    }

    /// A scheduler may end itself only when a sync failed.
    func ended(_ name: String, _ error: any Error) {
        if let error = error as? FileError, error.isFatal { return }
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
    }

    // MARK: - Faults from outside

    private func plan(every range: ClosedRange<Int64>, _ fault: @escaping () -> Void) {
        self.world.after(self.world.random(range)) { [self] in
            guard self.world.hasFaults else { return }
            fault()
            self.plan(every: range, fault)
        }
    }

    private var someScheduler: SimulatedScheduler { self.schedulers[Int(self.world.random() & 1)] }

    private func crash() {
        guard self.world.fault(.crashAtAnyTime, 1) else { return }
        self.someScheduler.process.kill()
    }

    private func losePower() {
        guard self.world.fault(.powerLoss, 1) else { return }
        self.noteStates("power loss")
        for scheduler in self.schedulers { scheduler.process.kill() }
        self.disk.losePower()
    }

    private func pause() {
        guard self.world.fault(.pausedOwner, 1) else { return }
        self.noteStates("pause")
        self.interruptions += 1
        self.someScheduler.process.pause(self.world.random(1_000...40_000))
    }

    private func fillDisk() {
        guard self.world.fault(.diskFull, 1) else { return }
        self.noteStates("disk full")
        self.disk.isFull = true
        self.world.after(self.world.random(1_000...30_000)) { self.disk.isFull = false }
    }

    private func stopEngines() {
        guard self.world.fault(.engineOutage, 1) else { return }
        self.noteStates("outage")
        self.engines.areUp = false
        self.world.after(self.world.random(1_000...(self.world.chance(0.05) ? 3_600_000 : 60_000))) {
            self.engines.areUp = true
        }
    }

    private func slowEngines() {
        guard self.world.fault(.slowEngine, 1) else { return }
        self.engines.slowness = 10
        self.world.after(self.world.random(1_000...60_000)) { self.engines.slowness = 1 }
    }

    private func setClock() {
        guard self.world.fault(.clockJump, 1) else { return }
        let offset = [-3_600_000, -5_000, 0, 0, 5_000][Int(self.world.random() % 5)]
        for scheduler in self.schedulers { scheduler.process.wallOffset = Int64(offset) }
    }

    private func flipBit() {
        guard self.world.hasFaults, self.disk.flipBit() != nil else { return }
        self.world.coverage.hit(.bitFlip)
        self.flips += 1
    }

    // MARK: - Seen by everybody

    /// Which states batches are in when something happens.
    func noteStates(_ event: String) {
        for batch in self.store.batches() where !batch.status.isTerminal {
            self.world.coverage.hit(state: batch.status.rawValue, event: event)
        }
    }

    /// I-08: only the owner of a batch sends its lines.
    private func checkSend(_ requestID: String, _ process: SimulatedProcess) {
        let digits = requestID.dropFirst("batch_req_".count).prefix(32)
        let owner = self.store.liveOwner(ofClaim: ClaimKey.batch("batch_" + digits))
        let sender = self.schedulers.first { $0.process === process }?.instance
        if owner.map({ String($0.prefix { $0 != "." }) }) != sender || sender == nil {
            self.violation("I-08 \(sender ?? "nobody") sent \(requestID), which \(owner ?? "nobody") owns")
        }
    }
}
