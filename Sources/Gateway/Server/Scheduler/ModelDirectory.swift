import GatewayAPI
import GatewayAccess
import Logging
import ProtoMessages
import ProtoRPC
import ServiceLifecycle
import Synchronization

/// Knows which schedulers have which models, so that online requests go where an engine is. With one scheduler there is
/// nothing to know.
///
/// The schedulers are asked every half minute, as often as these ask their engines, and when a request found no engine of
/// its model where it went.
final class ModelDirectory: Service {
    /// Time between two looks.
    private static let interval = Duration.seconds(30)
    /// What was asked so short a time ago is not asked again for a model that was not found: wrong names cost no more.
    private static let freshness = Duration.milliseconds(100)
    /// Longest time for a scheduler to tell its models.
    private static let timeout = Duration.seconds(2)

    private struct State {
        var places = ModelPlaces()
        var lastLook: ContinuousClock.Instant?
        /// Who is told of the end of a look. Bounded by the requests under way.
        var waiters: [@Sendable () -> Void] = []
        var hasStopped = false
    }

    private let client: RPCClient
    private let schedulers: [RPCClient.Endpoint]
    private let calls: SchedulerCalls
    private let state = Mutex(State())
    private let looks: AsyncStream<Void>
    private let look: AsyncStream<Void>.Continuation

    init(client: RPCClient, schedulers: [RPCClient.Endpoint], logger: Logger) {
        self.client = client
        self.schedulers = schedulers
        self.calls = SchedulerCalls(client: client, caller: .anybody, requestID: "models", logger: logger)
        (self.looks, self.look) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether schedulers may differ.
    var isNeeded: Bool { self.schedulers.count > 1 }

    /// Asks the schedulers until graceful shutdown or cancellation.
    func run() async {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                if self.isNeeded { group.addTask { await self.lookNowAndThen() } }
                for await _ in self.looks { await self.ask() }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.look.finish()
        }
        self.tellWaiters { $0.hasStopped = true }
    }

    private func lookNowAndThen() async {
        while !Task.isCancelled {
            self.look.yield()
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func ask() async {
        await withTaskGroup(of: (RPCClient.Endpoint, Set<String>?).self) { group in
            for scheduler in self.schedulers {
                group.addTask {
                    let models = try? await self.calls.models(at: scheduler, timeout: Self.timeout)
                    return (scheduler, models.map { Set($0.map(\.id)) })
                }
            }
            for await (scheduler, models) in group {
                guard let models else { continue }
                self.state.withLock { $0.places.said(models, by: scheduler) }
            }
        }
        self.tellWaiters { $0.lastLook = .now }
    }

    private func tellWaiters(_ change: (inout State) -> Void) {
        let waiters = self.state.withLock { state in
            change(&state)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter() }
    }
}

// MARK: - Asked by requests

extension ModelDirectory {
    /// The one scheduler that a request for the model goes to: of those that `ModelPlaces` names the one with the best
    /// prospects. nil: the choice is the client's.
    func scheduler(for model: String, besides refused: Set<RPCClient.Endpoint> = []) -> RPCClient.Endpoint? {
        guard self.isNeeded else { return nil }
        let connected = self.client.connectedEndpoints
        let candidates = self.state.withLock {
            $0.places.schedulers(for: model, connected: connected, besides: refused)
        }
        guard candidates.count > 1 else { return candidates.first }
        return self.client.bestEndpoint(of: candidates) ?? candidates.first
    }

    /// Whether a scheduler has the model.
    func has(_ model: String) -> Bool {
        self.state.withLock { $0.places.has(model) }
    }

    /// Looks again, unless the last look has just ended, and calls `body` then, once, on any thread; within the time that
    /// the schedulers have to answer.
    func afterLook(_ body: @escaping @Sendable () -> Void) {
        let mustWait = self.state.withLock { state in
            let isFresh = state.lastLook.map { .now - $0 < Self.freshness } ?? false
            if isFresh || state.hasStopped { return false }
            state.waiters.append(body)
            return true
        }
        if mustWait { self.look.yield() } else { body() }
    }
}
