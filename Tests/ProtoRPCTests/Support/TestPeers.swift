import Logging
import NIOCore
import ProtoMessages
import ProtoRPC
import ServiceLifecycle
import Synchronization

@testable import ProtoRPC

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Answers with the message it was sent.
let echo = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: "test.v1.Echo", name: "Echo")

func echoRouter() -> RPCRouter {
    var router = RPCRouter()
    router.register(echo) { request, _ in request }
    return router
}

/// A server that runs while a test's body does.
struct TestServer: Sendable {
    let port: Int
    let lifecycle: ServiceGroup

    var endpoint: RPCClient.Endpoint { RPCClient.Endpoint(host: "127.0.0.1", port: self.port) }

    func drain() async {
        await self.lifecycle.triggerGracefulShutdown()
    }
}

struct ServerDidNotStart: Error {}

/// A client whose calls wait for the first connection however busy the machine is. It says no Hello, so that a script
/// sees a test's own calls alone.
func patientClient(of endpoints: [RPCClient.Endpoint], backOff: BackOff = BackOff()) -> RPCClientConfiguration {
    RPCClientConfiguration(
        endpoints: endpoints,
        connectTimeout: .seconds(60),
        connectionWait: .seconds(60),
        backOff: backOff,
        fullStreamPatience: .seconds(60),
        usesSession: false
    )
}

/// A server that fails no stream because the machine is busy.
let patientServer: RPCServerConfiguration = {
    var configuration = RPCServerConfiguration()
    configuration.limits.fullStreamPatience = .seconds(60)
    return configuration
}()

func withServer<Result: Sendable>(
    _ configuration: RPCServerConfiguration = patientServer,
    router: RPCRouter = echoRouter(),
    logger: Logger = quietLogger,
    _ body: @escaping @Sendable (TestServer) async throws -> Result
) async throws -> Result {
    let (addresses, sink) = AsyncStream.makeStream(of: SocketAddress.self)
    let server = RPCServer(configuration: configuration, router: router, logger: logger) {
        sink.yield($0)
        sink.finish()
    }
    return try await whileRunning(server, onEnd: { sink.finish() }) { lifecycle in
        guard let port = await addresses.first(where: { _ in true })?.port else { throw ServerDidNotStart() }
        return try await body(TestServer(port: port, lifecycle: lifecycle))
    }
}

func withClient<Result: Sendable>(
    _ configuration: RPCClientConfiguration,
    _ body: @escaping @Sendable (RPCClient) async throws -> Result
) async throws -> Result {
    try await withStoppableClient(configuration) { client, _ in try await body(client) }
}

func withStoppableClient<Result: Sendable>(
    _ configuration: RPCClientConfiguration,
    _ body: @escaping @Sendable (RPCClient, ServiceGroup) async throws -> Result
) async throws -> Result {
    let client = RPCClient(configuration: configuration, logger: quietLogger)
    return try await whileRunning(client) { lifecycle in try await body(client, lifecycle) }
}

func withClient<Result: Sendable>(
    of servers: TestServer...,
    body: @escaping @Sendable (RPCClient) async throws -> Result
) async throws -> Result {
    try await withClient(patientClient(of: servers.map(\.endpoint)), body)
}

/// Runs a service and `body` beside it; the service ends with the body.
private func whileRunning<Result: Sendable>(
    _ service: any Service,
    onEnd: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable (ServiceGroup) async throws -> Result
) async throws -> Result {
    let lifecycle = ServiceGroup(
        configuration: .init(
            services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
            logger: quietLogger
        )
    )
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { onEnd() }
            try await lifecycle.run()
        }
        let result: Result
        do {
            result = try await body(lifecycle)
        } catch {
            group.cancelAll()
            throw error
        }
        group.cancelAll()
        while let ended = await group.nextResult() {
            if case .failure(let error) = ended, !(error is CancellationError) { throw error }
        }
        return result
    }
}

extension RPCClient {
    func echo(
        _ message: Envelope.KeyValue = Envelope.KeyValue(key: "hello"),
        options: CallOptions = CallOptions()
    ) async throws -> Envelope.KeyValue {
        try await self.call(ProtoRPCTests.echo, message, options: options)
    }

    /// Waits until a condition on the connected servers holds; the links tell of each change.
    func until(_ condition: @Sendable ([Endpoint]) -> Bool) async {
        await self.untilChanged { condition(self.connectedEndpoints) }
    }

    /// Makes calls, which may fail, until the server has said Hello.
    func untilGreeted() async throws {
        while !Task.isCancelled {
            _ = try? await self.call(SessionService.ping, PingRequest())
            if case .connection(let connection) = self.links.choose(lane: .control, endpoint: nil),
                connection.speaksSession
            {
                return
            }
        }
    }

    /// Waits until the lane for control calls takes none.
    func untilRefusing() async {
        await self.untilChanged {
            if case .fail = self.links.choose(lane: .control, endpoint: nil) { return true }
            return false
        }
    }

    func untilChanged(_ condition: () -> Bool) async {
        while !Task.isCancelled {
            let change = self.links.changes
            if condition() { return }
            await self.links.waitForChange(
                since: change,
                timeout: .hours(1),
                on: self.configuration.eventLoopGroup.next()
            )
        }
    }
}

/// Lets a handler tell the test what happens to it, and the test tell the handler to go on.
struct Stage: Sendable {
    private let events: AsyncStream<String>
    private let sink: AsyncStream<String>.Continuation
    let curtain = Curtain()

    init() {
        (self.events, self.sink) = AsyncStream.makeStream()
    }

    func tell(_ event: String) {
        self.sink.yield(event)
    }

    /// Waits for the next event; one consumer at a time.
    func next() async -> String? {
        await self.events.first { _ in true }
    }

    /// Waits until the task is cancelled.
    func untilCancelled() async {
        await Gate().wait()
    }
}

/// Holds any number of tasks, cancelled or not, until it opens.
final class Curtain: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func waitUntilOpen() async {
        await withCheckedContinuation { waiter in
            let isOpen = self.state.withLock { state in
                if !state.isOpen { state.waiters.append(waiter) }
                return state.isOpen
            }
            if isOpen { waiter.resume() }
        }
    }

    func open() {
        let waiters = self.state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters {
            waiter.resume()
        }
    }
}

/// The error of a call that must fail.
func failure(of body: () async throws -> some Sendable) async -> RPCError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? RPCError
    }
}

extension Stage {
    /// `Wait` ends when it is cancelled, `Hold` when the curtain opens, whatever happens to its task.
    func router() -> RPCRouter {
        var router = echoRouter()
        let wait = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Wait")
        router.register(wait) { request, _ in
            self.tell("began")
            await self.untilCancelled()
            self.tell("cancelled")
            return request
        }
        let hold = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Hold")
        router.register(hold) { request, _ in
            self.tell("began")
            await self.curtain.waitUntilOpen()
            self.tell("ended")
            return request
        }
        return router
    }
}

extension ClientCall {
    /// How the call failed; nil when it has not.
    var outcome: RPCError? {
        get async {
            let outcome = await withUnsafeContinuation { _ = self.wait($0) }
            if case .failure(let error) = outcome { return error }
            return nil
        }
    }
}
