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
        /// When the last look that has ended began.
        var lastLook: ContinuousClock.Instant?
        /// Who is told of the end of the next look to begin: what one that is under way finds may be older than the
        /// question. Bounded by the requests under way.
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
        self.state.withLock { $0.hasStopped = true }
        for waiter in self.takeWaiters() { waiter() }
    }

    private func lookNowAndThen() async {
        while !Task.isCancelled {
            self.look.yield()
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func ask() async {
        let begin = ContinuousClock.now
        let waiters = self.takeWaiters()
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
        self.state.withLock { $0.lastLook = begin }
        for waiter in waiters { waiter() }
    }

    private func takeWaiters() -> [@Sendable () -> Void] {
        self.state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
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

    /// Looks again, unless the last look has just begun and ended, and calls `body` then, once, on any thread; within twice
    /// the time that the schedulers have to answer.
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
