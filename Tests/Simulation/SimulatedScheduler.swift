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
            occurs: { world.occurs($0) },
            endsGracefully: false
        )
        let parts = SchedulerNode.Parts(
            store: SimulatedStore(store: self.cluster.store, process: process) { [unowned self] in
                self.cluster.states.note($0)
                self.cluster.damage.note($0)
            },
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
        configuration.lease = LeaseTerms(lasting: self.cluster.scenario.lease)
        configuration.sweepInterval = self.cluster.scenario.sweepInterval
        configuration.uploadLifetime = self.cluster.scenario.uploadLifetime
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
