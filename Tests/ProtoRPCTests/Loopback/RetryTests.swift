import NIOCore
import ProtoFraming
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

/// Calls that fail on one of several servers.
@Suite(.timeLimit(.minutes(1))) struct RetryTests {
    private static let idempotent = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(
        service: echo.service,
        name: echo.name,
        isIdempotent: true
    )

    @Test(
        "T-23 calls that stream in while one of two servers drains are all run, once each",
        arguments: [Duration.seconds(60), .zero]
    )
    func drain(notice: Duration) async throws {
        let ledger = Ledger()
        let draining = RPCServerConfiguration(drainTimeout: .seconds(60), drainNoticeTimeout: notice)
        try await withServer(router: ledger.router("second")) { second in
            try await withServer(draining, router: ledger.router("first")) { first in
                try await withClient(Self.client(of: [first, second])) { client in
                    await client.until { $0.count == 2 }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for worker in 0..<16 {
                            group.addTask { try await Self.work(worker, client, ledger, until: second.endpoint) }
                        }
                        await ledger.untilCalls(200, at: "first")
                        await first.drain()
                        try await group.waitForAll()
                    }
                }
            }
        }
        #expect(ledger.answered > 200)
        #expect(ledger.counts.count == ledger.answered)
        #expect(ledger.counts.filter { $0.value != 1 } == [:])
    }

    /// Makes calls until the other server is left alone, and some more.
    private static func work(
        _ worker: Int,
        _ client: RPCClient,
        _ ledger: Ledger,
        until left: RPCClient.Endpoint
    ) async throws {
        var more = 20
        var number = 0
        while more > 0 {
            number += 1
            let message = Envelope.KeyValue(key: "\(worker)-\(number)")
            #expect(try await client.echo(message) == message)
            ledger.gotAnswer()
            if client.connectedEndpoints == [left] { more -= 1 }
        }
    }

    @Test("G6-05 a call on a stream above the last accepted one is made elsewhere at once")
    func notAccepted() async throws {
        let ledger = Ledger()
        try await withServer(router: ledger.router("second")) { second in
            try await self.withOther(second) { listener in
                _ = try await listener.accept { try await Self.drain($0, beforeCallOf: echo.name) }
            } client: { client, _ in
                try await Self.keepBusy(second, client, ledger) {
                    let reply = try await client.reply(echo, Envelope.KeyValue(key: "k"))
                    #expect(reply.endpoint == second.endpoint)
                }
            }
        }
        #expect(ledger.counts["k"] == 1)
    }

    @Test("G6-09 a call that may have run is made again with an idempotency key or when its method says so, else not")
    func lost() async throws {
        let ledger = Ledger()
        try await withServer(router: ledger.router("second")) { second in
            try await self.withOther(second, usesSession: false) { listener in
                // Takes each of the calls below and breaks its connection.
                for _ in 0..<4 {
                    _ = try await listener.accept { peer in _ = try await peer.nextFrame() }
                }
            } client: { client, other in
                try await Self.keepBusy(second, client, ledger) {
                    let key = CallOptions(metadata: [("Idempotency-Key", "one")])
                    await client.until { $0.contains(other) }
                    let keyed = try await client.echo(Envelope.KeyValue(key: "keyed"), options: key)
                    #expect(keyed.key == "keyed")
                    await client.until { $0.contains(other) }
                    let message = Envelope.KeyValue(key: "declared")
                    let declared = try await client.call(Self.idempotent, message)
                    #expect(declared == message)
                    await client.until { $0.contains(other) }
                    let error = await failure { try await client.echo(Envelope.KeyValue(key: "neither")) }
                    #expect(error?.code == .unavailable)
                    #expect(error?.notSent == false)
                    let none = CallOptions(metadata: [("idempotency-key", "")])
                    await client.until { $0.contains(other) }
                    let empty = await failure { try await client.echo(Envelope.KeyValue(key: "empty"), options: none) }
                    #expect(empty?.code == .unavailable)
                }
            }
        }
        #expect(ledger.counts == ["busy": 1, "keyed": 1, "declared": 1])
    }

    @Test("G6-09 a call that was answered is never made again, however it was answered")
    func answered() async throws {
        let calls = Atomic(0)
        var router = RPCRouter()
        let count: @Sendable () -> Void = { calls.add(1, ordering: .relaxed) }
        router.register(Self.idempotent) { _, _ in
            count()
            throw RPCError(code: .internal, message: "no")
        }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let error = await failure { try await client.call(Self.idempotent, Envelope.KeyValue()) }
                #expect(error?.code == .internal)
            }
        }
        #expect(calls.load(ordering: .relaxed) == 1)
    }

    @Test("G6-09 attempts are bounded, and a refusal that a handler passes on is not its own", arguments: [1, 3])
    func bounded(attempts: Int) async throws {
        let calls = Atomic(0)
        var router = RPCRouter()
        let count: @Sendable () -> Void = { calls.add(1, ordering: .relaxed) }
        router.register(Self.idempotent) { _, _ in
            count()
            throw RPCError.notAccepted("said by a server behind this one")
        }
        let methods = router
        try await withServer(router: methods) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.retries = RetryPolicy(maximumAttempts: attempts, backOff: BackOff(minimum: .zero))
            try await withClient(configuration) { client in
                let error = await failure { try await client.call(Self.idempotent, Envelope.KeyValue()) }
                #expect(error?.code == .unavailable)
                #expect(error?.notSent == false)
                #expect(calls.load(ordering: .relaxed) == attempts)
                _ = await failure { try await client.echo() }
                #expect(
                    calls.load(ordering: .relaxed) == attempts + 1,
                    "that it was not run is not for a handler to say"
                )
            }
        }
    }

    @Test("G6-09 while a server dies and comes back no call is run twice")
    func restarts() async throws {
        let host = "127.0.0.3"
        let ledger = Ledger()
        let port = try await withServer(RPCServerConfiguration(host: host)) { $0.port }
        let endpoint = RPCClient.Endpoint(host: host, port: port)
        try await withServer(router: ledger.router("second")) { second in
            try await withClient(patientClient(of: [endpoint, second.endpoint])) { client in
                for round in 0..<5 {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask {
                            let configuration = RPCServerConfiguration(host: host, port: port)
                            try await withServer(configuration, router: ledger.router("first \(round)")) { _ in
                                await ledger.untilCalls(10, at: "first \(round)")
                            }
                        }
                        group.addTask {
                            await client.until { $0.contains(endpoint) }
                            await Self.makeCalls(50, of: round, client, ledger)
                        }
                        try await group.waitForAll()
                    }
                    await client.until { !$0.contains(endpoint) }
                }
            }
        }
        #expect(ledger.counts.filter { $0.value != 1 } == [:])
        #expect(ledger.answered > 0)
        #expect(ledger.answered <= ledger.counts.count)
    }

    private static func makeCalls(_ count: Int, of round: Int, _ client: RPCClient, _ ledger: Ledger) async {
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<count {
                group.addTask { await Self.succeeds(client, "\(round)-\(number)") }
            }
            for await succeeded in group where succeeded { ledger.gotAnswer() }
        }
    }

    private static func succeeds(_ client: RPCClient, _ key: String) async -> Bool {
        await failure { try await client.echo(Envelope.KeyValue(key: key)) } == nil
    }

    // MARK: - Parts

    private static func client(of servers: [TestServer]) -> RPCClientConfiguration {
        var configuration = patientClient(of: servers.map(\.endpoint))
        configuration.lanes = [.control]
        configuration.usesSession = true
        return configuration
    }

    /// A client of a server and of one that the test plays.
    private func withOther(
        _ server: TestServer,
        usesSession: Bool = true,
        _ script: @escaping @Sendable (RawListener) async throws -> Void,
        client body: @escaping @Sendable (RPCClient, RPCClient.Endpoint) async throws -> Void
    ) async throws {
        try await withScriptedServer { configuration in
            configuration.usesSession = usesSession
            configuration.backOff = BackOff(minimum: .milliseconds(1), maximum: .milliseconds(1))
            configuration.endpoints.append(server.endpoint)
        } _: { listener in
            try await script(listener)
        } client: { client in
            await client.until { $0.count == 2 }
            let other = client.configuration.endpoints[0]
            try await body(client, other)
        }
    }

    /// Has a call in flight at a server, so that the next one goes to the other.
    private static func keepBusy(
        _ server: TestServer,
        _ client: RPCClient,
        _ ledger: Ledger,
        _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let options = CallOptions(timeout: .seconds(600), endpoint: server.endpoint)
                _ = try await client.call(Ledger.hold, Envelope.KeyValue(key: "busy"), options: options)
            }
            await ledger.untilCalls(1, at: "second")
            try await body()
            ledger.curtain.open()
            try await group.waitForAll()
        }
    }

    /// Says Hello, and on Watch that a call which has come is not accepted.
    private static func drain(_ peer: RawConnection, beforeCallOf method: String) async throws {
        var watchID: UInt32?
        var callID: UInt32?
        while let frame = try await peer.nextFrame() {
            switch try Envelope.Request(serialized: frame.data).method {
            case SessionService.hello.name:
                try await peer.send(response(frame.streamID, HelloResponse(server: SessionLimits(version: 1))))
            case SessionService.watch.name: watchID = frame.streamID
            case method: callID = frame.streamID
            default: break
            }
            guard let watchID, let last = callID.map({ $0 - 2 }) else { continue }
            let notice = try WatchResponse(drain: Drain(lastAcceptedStreamID: last)).serialized()
            try await peer.send(Frame(streamID: watchID, type: .data, data: notice))
            break
        }
        while try await peer.nextFrame() != nil {}
    }
}

/// Counts what servers have run.
private final class Ledger: Sendable {
    static let hold = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Hold")

    private struct State {
        var counts: [String: Int] = [:]
        var callsOfServer: [String: Int] = [:]
        var answered = 0
        var waiters: [(server: String, calls: Int, gate: Gate)] = []
    }

    let curtain = Curtain()
    private let state = Mutex(State())

    /// `Echo` and `Hold`, which ends when the curtain opens.
    func router(_ server: String) -> RPCRouter {
        var router = RPCRouter()
        router.register(echo) { request, _ in
            self.ran(request.key, at: server)
            return request
        }
        router.register(Self.hold) { request, _ in
            self.ran(request.key, at: server)
            await self.curtain.waitUntilOpen()
            return request
        }
        return router
    }

    var counts: [String: Int] { self.state.withLock { $0.counts } }
    var answered: Int { self.state.withLock { $0.answered } }

    func gotAnswer() {
        self.state.withLock { $0.answered += 1 }
    }

    func untilCalls(_ calls: Int, at server: String) async {
        let gate = Gate()
        let isThere = self.state.withLock { state in
            if state.callsOfServer[server, default: 0] >= calls { return true }
            state.waiters.append((server, calls, gate))
            return false
        }
        if !isThere { await gate.wait() }
    }

    private func ran(_ key: String, at server: String) {
        let gates = self.state.withLock { state in
            state.counts[key, default: 0] += 1
            state.callsOfServer[server, default: 0] += 1
            let calls = state.callsOfServer[server, default: 0]
            return state.waiters.filter { $0.server == server && $0.calls <= calls }.map(\.gate)
        }
        for gate in gates { gate.open() }
    }
}
