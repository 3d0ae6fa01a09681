import NIOCore
import Synchronization

/// All links of a client: which connection takes a call, and who waits for one.
final class ClientLinks: Sendable {
    /// One connection to one server on one lane.
    struct Key: Sendable {
        var endpoint: RPCClient.Endpoint
        var lane: RPCClient.Lane
        /// The event loop of the connection; nil: any.
        var eventLoop: (any EventLoop)?
    }

    enum Choice {
        case connection(ClientConnection)
        /// Wait for a change after this one, then choose again.
        case wait(since: UInt64)
        case fail(RPCError)
    }

    private struct Link {
        var key: Key
        var machine: ClientLinkStateMachine<ClientConnection>
    }

    /// A connection that takes calls, or has just ended.
    private struct Ready {
        var lane: RPCClient.Lane
        var endpoint: RPCClient.Endpoint
        var connection: ClientConnection
    }

    private struct State {
        var links: [Link]
        /// Those of the links: each call looks through them.
        var ready: [Ready] = []
        /// Counts changes, so that none is missed between a choice and the wait that follows it.
        var changes: UInt64 = 0
        var waiters: [UInt64: @Sendable () -> Void] = [:]
        var lastWaiter: UInt64 = 0
    }

    /// The links, by their index.
    let keys: [Key]
    private let state: Mutex<State>

    /// - Parameter controlLoops: event loops each of which has a control connection of its own to each server; none:
    ///   there is one, on any loop.
    init(
        endpoints: [RPCClient.Endpoint],
        lanes: [RPCClient.Lane],
        controlLoops: [any EventLoop] = [],
        backOff: BackOff
    ) {
        var seen: Set<RPCClient.Endpoint> = []
        let distinct = endpoints.filter { seen.insert($0).inserted }
        let keys = distinct.flatMap { endpoint in
            lanes.flatMap { lane in
                let loops = lane == .control && !controlLoops.isEmpty ? controlLoops.map(Optional.some) : [nil]
                return loops.map { Key(endpoint: endpoint, lane: lane, eventLoop: $0) }
            }
        }
        self.keys = keys
        self.state = Mutex(State(links: keys.map { Link(key: $0, machine: .init(backOff: backOff)) }))
    }

    /// The connection on which a call has the best prospects (`ServerProspects`), or what else the call has to do.
    ///
    /// - Parameters:
    ///   - tried: servers that have failed the call and come last.
    ///   - eventLoop: where the caller lives; a connection there is better than another.
    func choose(
        lane: RPCClient.Lane,
        endpoint: RPCClient.Endpoint?,
        besides tried: Set<RPCClient.Endpoint> = [],
        near eventLoop: (any EventLoop)? = nil,
        now: @autoclosure () -> NIODeadline = .now()
    ) -> Choice {
        self.state.withLock { state in
            var best: (connection: ClientConnection, prospects: ServerProspects)?
            for ready in state.ready where ready.lane == lane && (endpoint == nil || endpoint == ready.endpoint) {
                let connection = ready.connection
                guard !connection.hasEnded else { continue }
                let prospects = connection.prospects(
                    wasTried: !tried.isEmpty && tried.contains(ready.endpoint),
                    isElsewhere: eventLoop.map { $0 !== connection.eventLoop } ?? false,
                    now: now()
                )
                if best.map({ prospects < $0.prospects }) ?? true { best = (connection, prospects) }
            }
            if let best { return .connection(best.connection) }
            return Self.withoutConnection(state, lane: lane, endpoint: endpoint)
        }
    }

    /// The server among these that serves calls best now (`ServerProspects`), with all its connections of a lane; one of the
    /// best by chance. nil: none of them is connected.
    func best(
        of endpoints: [RPCClient.Endpoint],
        lane: RPCClient.Lane,
        now: NIODeadline = .now()
    ) -> RPCClient.Endpoint? {
        let prospects = self.state.withLock { state in
            var prospects: [RPCClient.Endpoint: ServerProspects] = [:]
            for link in state.links where link.key.lane == lane && endpoints.contains(link.key.endpoint) {
                guard case .ready(let connection) = link.machine.availability, !connection.hasEnded else { continue }
                let more = connection.prospects(wasTried: false, isElsewhere: false, now: now)
                prospects[link.key.endpoint] = prospects[link.key.endpoint].map { $0.joined(with: more) } ?? more
            }
            return prospects
        }
        return prospects.shuffled().min { $0.value < $1.value }?.key
    }

    private static func withoutConnection(
        _ state: State,
        lane: RPCClient.Lane,
        endpoint: RPCClient.Endpoint?
    ) -> Choice {
        let isWorthWaiting = state.links.contains { link in
            guard link.key.lane == lane, endpoint == nil || endpoint == link.key.endpoint else { return false }
            switch link.machine.availability {
            // Its connection has ended: the link is about to learn of it and to connect again.
            case .ready, .soon: return true
            case .unavailable: return false
            }
        }
        if isWorthWaiting { return .wait(since: state.changes) }
        return .fail(self.unavailable(state.links, lane: lane, endpoint: endpoint))
    }

    /// Whether a call could go to a server besides these now.
    func hasConnection(
        lane: RPCClient.Lane,
        endpoint: RPCClient.Endpoint?,
        besides tried: Set<RPCClient.Endpoint>
    ) -> Bool {
        self.state.withLock { state in
            state.links.contains { link in
                guard link.key.lane == lane, endpoint == nil || endpoint == link.key.endpoint,
                    !tried.contains(link.key.endpoint), case .ready(let connection) = link.machine.availability
                else { return false }
                return !connection.hasEnded
            }
        }
    }

    /// Counts the changes of all links; read it before looking at them to wait for the next one.
    var changes: UInt64 {
        self.state.withLock { $0.changes }
    }

    /// Servers to which both lanes are connected.
    var connectedEndpoints: [RPCClient.Endpoint] {
        self.state.withLock { state in
            var connected: [RPCClient.Endpoint: Set<RPCClient.Lane>] = [:]
            for link in state.links {
                guard case .ready(let connection) = link.machine.availability, !connection.hasEnded else { continue }
                connected[link.key.endpoint, default: []].insert(link.key.lane)
            }
            let lanes = Set(state.links.map(\.key.lane))
            var seen: Set<RPCClient.Endpoint> = []
            return state.links.map(\.key.endpoint).filter { connected[$0] == lanes && seen.insert($0).inserted }
        }
    }

    /// Changes one link and wakes who waits.
    func update<Result: Sendable>(
        _ index: Int,
        _ change: (inout ClientLinkStateMachine<ClientConnection>) -> Result
    ) -> Result {
        let (result, waiters) = self.state.withLock { state in
            let result = change(&state.links[index].machine)
            state.changes += 1
            state.ready = state.links.compactMap { link in
                guard case .ready(let connection) = link.machine.availability else { return nil }
                return Ready(lane: link.key.lane, endpoint: link.key.endpoint, connection: connection)
            }
            defer { state.waiters = [:] }
            return (result, Array(state.waiters.values))
        }
        for waiter in waiters {
            waiter()
        }
        return result
    }

    /// Waits for a change after `since`, at most for `timeout`, or until the task is cancelled.
    func waitForChange(since: UInt64, timeout: TimeAmount, on eventLoop: any EventLoop) async {
        let gate = Gate()
        guard let number = self.register(since: since, { gate.open() }) else { return }
        let timer = eventLoop.scheduleTask(in: timeout) { gate.open() }
        await gate.wait()
        timer.cancel()
        self.state.withLock { _ = $0.waiters.removeValue(forKey: number) }
    }

    /// Calls `body` on an event loop, once, after a change after `since` or after `timeout`.
    func onChange(
        since: UInt64,
        within timeout: TimeAmount,
        on eventLoop: any EventLoop,
        _ body: @escaping @Sendable () -> Void
    ) {
        let promise = eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenSuccess(body)
        guard let number = self.register(since: since, { promise.succeed() }) else { return promise.succeed() }
        let timer = eventLoop.scheduleTask(in: timeout) {
            if self.state.withLock({ $0.waiters.removeValue(forKey: number) }) != nil { promise.succeed() }
        }
        promise.futureResult.whenSuccess { timer.cancel() }
    }

    /// Adds who is told of the next change; nil: it has come already.
    private func register(since: UInt64, _ waiter: @escaping @Sendable () -> Void) -> UInt64? {
        self.state.withLock { state in
            guard state.changes == since else { return nil }
            state.lastWaiter += 1
            state.waiters[state.lastWaiter] = waiter
            return state.lastWaiter
        }
    }

    /// Tells which servers were tried and why they cannot be used.
    private static func unavailable(
        _ links: [Link],
        lane: RPCClient.Lane,
        endpoint: RPCClient.Endpoint?
    ) -> RPCError {
        var reasons: [String] = []
        for link in links where link.key.lane == lane && (endpoint == nil || endpoint == link.key.endpoint) {
            if case .unavailable(let reason) = link.machine.availability {
                reasons.append("\(link.key.endpoint) (\(reason))")
            }
        }
        let message: String
        if !reasons.isEmpty {
            message = "not connected to " + reasons.joined(separator: ", ")
        } else if let endpoint {
            message = "\(endpoint) is not one of the client's endpoints"
        } else {
            message = "the client has no endpoints"
        }
        return RPCError(code: .unavailable, message: message, notSent: true)
    }
}
