import Dispatch
import NIOCore
import NIOPosix
import ProtoFraming
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

/// Streams of a server's messages without tasks, on either side.
@Suite(.timeLimit(.minutes(1))) struct EventLoopStreamTests {
    private typealias Methods = StreamMethods
    private typealias Message = StreamMethods.Message

    /// What a stream tells.
    private enum Told: Sendable, Equatable {
        case message(String)
        case end
        case failed(RPCError)
    }

    private struct Unexpected: Error {
        var told: [Told]
    }

    /// All that is told of a stream, until its end.
    private static func told(
        _ client: RPCClient,
        _ request: Message,
        options: CallOptions = CallOptions()
    ) async -> [Told] {
        let (events, sink) = AsyncStream.makeStream(of: Told.self)
        client.stream(Methods.server, request, options: options) { message in
            sink.yield(.message(message.key))
        } completion: { result in
            switch result {
            case .success: sink.yield(.end)
            case .failure(let error): sink.yield(.failed(error))
            }
            sink.finish()
        }
        return await events.reduce(into: []) { $0.append($1) }
    }

    /// Gives as many messages as the request says, numbered, and of so many bytes each.
    private static func countingRouter(bytes: Int = 0) -> RPCRouter {
        var router = RPCRouter()
        router.registerOnEventLoop(Methods.server) { _, _ in CountingResponder(bytes: bytes) }
        router.register(Methods.unary) { request, _ in request }
        return router
    }

    @Test("G4 messages come in order, then the end, however many come in a read", arguments: [0, 1, 2, 65, 3_000])
    func order(_ count: Int) async throws {
        try await withServer(router: Self.countingRouter()) { server in
            try await withClient(of: server) { client in
                _ = try await client.call(Methods.unary, Message())
                let told = await Self.told(client, Message(key: "\(count)"))
                #expect(told == (0..<count).map { .message("\($0)") } + [.end])
            }
        }
    }

    @Test("messages of all sizes, those included that take more room than there is at a time")
    func sizes() async throws {
        for bytes in [1 << 10, 40 << 10, 200 << 10, 2 << 20] {
            try await withServer(router: Self.countingRouter(bytes: bytes)) { server in
                try await withClient(of: server) { client in
                    _ = try await client.call(Methods.unary, Message())
                    let told = await Self.told(client, Message(key: "6"))
                    #expect(told == (0..<6).map { .message("\($0)") } + [.end], "\(bytes) bytes")
                }
            }
        }
    }

    @Test("G4 several streams at once have each their own messages")
    func manyStreams() async throws {
        try await withServer(router: Self.countingRouter()) { server in
            try await withClient(of: server) { client in
                _ = try await client.call(Methods.unary, Message())
                await withTaskGroup(of: Void.self) { group in
                    for count in 1..<20 {
                        group.addTask {
                            let told = await Self.told(client, Message(key: "\(10 * count)"))
                            #expect(told == (0..<(10 * count)).map { .message("\($0)") } + [.end])
                        }
                    }
                }
            }
        }
    }

    @Test("G4 a status ends the stream behind the messages that came before it")
    func status() async throws {
        try await withServer(router: StreamMethods.router(onEventLoop: true)) { server in
            try await withClient(of: server) { client in
                _ = try await client.call(Methods.unary, Message())
                let told = await Self.told(client, Message(key: "fail"))
                #expect(told == [.failed(RPCError(code: .aborted, message: "no"))])
            }
        }
    }

    @Test("once it is left, which a message may do, nothing is told any more, and the server is told")
    func cancel() async throws {
        let stage = Stage()
        var router = RPCRouter()
        router.registerOnEventLoop(Methods.server) { _, _ in EndlessResponder(stage) }
        router.register(Methods.unary) { request, _ in request }
        try await withServer(router: router) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.usesSession = true
            configuration.lanes = [.control]
            configuration.maximumCallsInFlight = 1
            try await withClient(configuration) { client in
                try await client.untilGreeted()
                let call = Mutex<RPCStreamCall?>(nil)
                let told = Mutex(0)
                let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
                let stream = client.stream(Methods.server, Message()) { _ in
                    // Before the first message it may not be known here: then the last one leaves.
                    let call = call.withLock { $0 }
                    let count = told.withLock { count in
                        count += 1
                        return count
                    }
                    arrival.yield()
                    if let call { call.cancel() } else if count == 1_000 { stage.tell("all came first") }
                } completion: { _ in
                    stage.tell("completed")
                }
                call.withLock { $0 = stream }
                for await _ in arrivals { break }
                stream.cancel()
                var event = await stage.next()
                if event == "all came first" { event = await stage.next() }
                #expect(event == "ended CANCELLED")
                // Its place among the calls in flight is free.
                _ = try await client.call(Methods.unary, Message())
                let count = told.withLock { $0 }
                _ = try await client.call(Methods.unary, Message())
                #expect(told.withLock { $0 } == count)
                stream.cancel()
            }
        }
    }

    @Test("without a connection it fails at once, beyond the calls in flight as well, and was not sent")
    func refusals() async throws {
        let nobody = RPCClient(
            configuration: RPCClientConfiguration(endpoints: [.init(host: "127.0.0.1", port: 1)]),
            logger: quietLogger
        )
        guard case .failed(let error) = await Self.told(nobody, Message()).first else {
            Issue.record("nobody answered")
            return
        }
        #expect(error.code == .unavailable && error.notSent)
        try await withServer(router: Self.countingRouter()) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.maximumCallsInFlight = 0
            try await withClient(configuration) { client in
                await client.until { $0.count == 1 }
                guard case .failed(let error) = await Self.told(client, Message()).first else {
                    Issue.record("nobody answered")
                    return
                }
                #expect(error.code == .resourceExhausted && error.notSent)
            }
        }
    }

    @Test("a message that cannot be read and a lost connection fail it behind what came")
    func failures() async throws {
        try await withScriptedServer { listener in
            _ = try await listener.accept { connection in
                _ = try await connection.nextFrame()
                let broken = Frame(streamID: 1, type: .data, data: ByteBuffer(string: "\u{0f}"))
                try await connection.send(try Methods.data(1, "a"), try Methods.data(1, "b"), broken, broken)
                _ = try await connection.nextFrame()
                try await connection.send(try Methods.data(3, "c"))
            }
        } client: { client in
            await client.until { $0.count == 1 }
            let first = await Self.told(client, Message())
            #expect(first.dropLast() == [.message("a"), .message("b")])
            guard case .failed(let unreadable) = first.last else { throw Unexpected(told: first) }
            #expect(unreadable.code == .internal)
            let second = await Self.told(client, Message())
            #expect(second.first == .message("c"))
            guard case .failed(let lost) = second.last else { throw Unexpected(told: second) }
            #expect(lost.code == .unavailable && !lost.notSent)
        }
    }

    @Test("a call of another client on the same event loop is answered while a stream has always more to send")
    func sharedEventLoop() async throws {
        let stage = Stage()
        let requestHasCome = DispatchSemaphore(value: 0)
        let progress = Progress()
        var router = RPCRouter()
        router.register(echo) { request, _ in request }
        router.registerOnEventLoop(Methods.server) { _, _ in
            UnendingResponder(progress) {
                stage.tell("began")
                // On the event loop: when it looks at its sockets the next time, the request is there.
                requestHasCome.wait()
            }
        }
        router.registerOnEventLoop(Methods.unary) { request, _ in
            stage.tell(progress.isOver ? "answered at its end" : "answered")
            return request
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = patientServer
        configuration.eventLoopGroup = group
        try await withServer(configuration, router: router) { server in
            let other = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: server.port).get()
            try await withClient(of: server) { client in
                _ = try await client.echo()
                let stream = client.stream(Methods.server, Message()) { _ in
                } completion: { _ in
                }
                #expect(await stage.next() == "began")
                var bytes = ByteBuffer()
                try request(1, service: Methods.service, method: "U", Message()).write(into: &bytes)
                try await other.writeAndFlush(bytes)
                requestHasCome.signal()
                #expect(await stage.next() == "answered")
                stream.cancel()
            }
            try await other.close()
        }
        try await group.shutdownGracefully()
    }

    @Test("a response ends it: with a payload that is the last message, without one there is none")
    func responses() async throws {
        try await withScriptedServer { listener in
            _ = try await listener.accept { connection in
                _ = try await connection.nextFrame()
                let empty = Frame(streamID: 1, type: .response, data: try Envelope.Response().serialized())
                try await connection.send(try Methods.data(1, "a"), empty)
                _ = try await connection.nextFrame()
                try await connection.send(try Methods.data(3, "a"), try response(3, Message(key: "b")))
            }
        } client: { client in
            await client.until { $0.count == 1 }
            #expect(await Self.told(client, Message()) == [.message("a"), .end])
            #expect(await Self.told(client, Message()) == [.message("a"), .message("b"), .end])
        }
    }

    @Test("its time is over")
    func deadline() async throws {
        try await withScriptedServer { listener in
            // The client may be gone before it is accepted.
            _ = try? await listener.accept { connection in while try await connection.nextFrame() != nil {} }
        } client: { client in
            await client.until { $0.count == 1 }
            let told = await Self.told(client, Message(), options: CallOptions(timeout: .milliseconds(50)))
            guard case .failed(let error) = told.last else { throw Unexpected(told: told) }
            #expect(error.code == .deadlineExceeded)
        }
    }
}

private final class CountingResponder: RPCStreamResponder {
    private let value: String
    private var given = 0
    private var count = 0

    init(bytes: Int) {
        self.value = String(repeating: "x", count: bytes)
    }

    func received(_ message: StreamMethods.Message) { self.count = Int(message.key) ?? 0 }
    func receivedEnd() {}
    func ended(_: RPCError) {}

    func next() -> RPCStreamStep<StreamMethods.Message> {
        guard self.given < self.count else { return .end }
        defer { self.given += 1 }
        return .message(.init(key: "\(self.given)", value: self.value))
    }
}

/// Sends a thousand messages, and does not end then.
private final class EndlessResponder: RPCStreamResponder {
    private let stage: Stage
    private var left = 1_000

    init(_ stage: Stage) {
        self.stage = stage
    }

    func received(_: StreamMethods.Message) {}
    func receivedEnd() {}
    func ended(_ error: RPCError) { self.stage.tell("ended \(error.code)") }

    func next() -> RPCStreamStep<StreamMethods.Message> {
        guard self.left > 0 else { return .wait }
        self.left -= 1
        return .message(.init(key: "more"))
    }
}

/// Whether an `UnendingResponder` has sent so much that the test has failed.
private final class Progress: Sendable {
    private let value = Atomic(false)

    var isOver: Bool { self.value.load(ordering: .sequentiallyConsistent) }

    func end() { self.value.store(true, ordering: .sequentiallyConsistent) }
}

/// Has always more to send, of no bytes, so that no room is ever used up.
private final class UnendingResponder: RPCStreamResponder {
    private let progress: Progress
    private let onBegin: () -> Void
    private var left = 1_000_000

    init(_ progress: Progress, onBegin: @escaping () -> Void) {
        self.progress = progress
        self.onBegin = onBegin
    }

    func received(_: StreamMethods.Message) { self.onBegin() }
    func receivedEnd() {}
    func ended(_: RPCError) {}

    func next() -> RPCStreamStep<StreamMethods.Message> {
        self.left -= 1
        guard self.left > 0 else {
            self.progress.end()
            return .end
        }
        return .message(.init())
    }
}
