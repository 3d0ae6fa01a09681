import Logging
import NIOCore
import NIOPosix
import ProtoMessages
import ProtoRPC
import Synchronization

/// This project's server and client, with deadlines, metadata, limits and sessions on.
struct Backfill: Sendable {
    static let echo = RPCMethod<InferUnaryRequest, InferUnaryRequest>(service: "bench.v1.Echo", name: "Echo")
    static let echoAtOnce = RPCMethod<InferUnaryRequest, InferUnaryRequest>(
        service: "bench.v1.Echo",
        name: "EchoAtOnce"
    )
    /// Its tasks run on the server's event loop.
    static let echoOnLoop = RPCMethod<InferUnaryRequest, InferUnaryRequest>(
        service: "bench.v1.Echo",
        name: "EchoOnLoop"
    )
    static let stream = RPCServerStreamMethod<InferHead, InferChunk>(service: "bench.v1.Echo", name: "Stream")
    static let streamAtOnce = RPCServerStreamMethod<InferHead, InferChunk>(
        service: "bench.v1.Echo",
        name: "StreamAtOnce"
    )
    static let read = RPCMethod<InferHead, InferChunk>(service: "bench.v1.Echo", name: "Read")
    static let chunkBytes = 256 << 10
    static let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    static let metadata = [("tenant", "default"), ("request-id", "0123456789abcdef")]

    let client: RPCClient

    private static func router() -> RPCRouter {
        var router = RPCRouter()
        router.register(self.echo) { request, _ in request }
        router.register(self.echoOnLoop, on: .eventLoop) { request, _ in request }
        let chunk = ByteBuffer(repeating: 42, count: self.chunkBytes)
        router.register(self.read) { _, _ in InferChunk(data: chunk) }
        router.registerOnEventLoop(self.echoAtOnce) { request, _ in request }
        router.register(self.stream) { request, writer, _ in
            let chunk = InferChunk(sequence: 0, data: ByteBuffer(repeating: 42, count: 100))
            for _ in 0..<request.contentBytes { try await writer.send(chunk) }
        }
        router.registerOnEventLoop(self.streamAtOnce) { _, _ in ChunkSource() }
        return router
    }

    /// A server and a connected client while `body` runs.
    static func with(_ loops: EventLoops, _ body: @escaping @Sendable (Backfill) async throws -> Void) async throws {
        let (addresses, sink) = AsyncStream.makeStream(of: SocketAddress.self)
        let server = RPCServer(
            configuration: RPCServerConfiguration(eventLoopGroup: loops.server),
            router: self.router(),
            logger: self.quiet
        ) { sink.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            guard let port = await addresses.first(where: { _ in true })?.port else { return }
            let client = RPCClient(
                configuration: RPCClientConfiguration(
                    endpoints: [.init(host: "127.0.0.1", port: port)],
                    eventLoopGroup: loops.client
                ),
                logger: self.quiet
            )
            group.addTask { await client.run() }
            try await body(Backfill(client: client))
            group.cancelAll()
            while let ended = await group.nextResult() {
                if case .failure(let error) = ended, !(error is CancellationError) { throw error }
            }
        }
    }

    func unary(
        _ method: RPCMethod<InferUnaryRequest, InferUnaryRequest> = Self.echo,
        payloadBytes: Int,
        inFlight: Int,
        count: Int,
        on executor: (any TaskExecutor)? = nil
    ) async throws -> Sample {
        let request = InferUnaryRequest(body: ByteBuffer(repeating: 42, count: payloadBytes))
        let options = CallOptions(timeout: .seconds(30), metadata: Self.metadata)
        return try await inParallel(inFlight, count: count, on: executor) {
            _ = try await self.client.call(method, request, options: options)
        }
    }

    /// By callbacks on the event loops of both sides.
    func onEventLoops(payloadBytes: Int, inFlight: Int, count: Int) async throws -> Sample {
        let request = InferUnaryRequest(body: ByteBuffer(repeating: 42, count: payloadBytes))
        let options = CallOptions(timeout: .seconds(30), metadata: Self.metadata)
        // Waits for the connection, which calls from event loops do not.
        _ = try await self.client.call(Self.echo, request, options: options)
        return try await sample(amount: count / inFlight * inFlight) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<inFlight {
                    group.addTask {
                        try await withCheckedThrowingContinuation { done in
                            self.chain(request, options, left: count / inFlight, done)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// One call after the other, each from the callback of the one before.
    private func chain(
        _ request: InferUnaryRequest,
        _ options: CallOptions,
        left: Int,
        _ done: CheckedContinuation<Void, any Error>
    ) {
        guard left > 0 else { return done.resume() }
        self.client.call(Self.echoAtOnce, request, options: options) { result in
            switch result {
            case .success: self.chain(request, options, left: left - 1, done)
            case .failure(let error): done.resume(throwing: error)
            }
        }
    }

    func serverStream(count: Int) async throws -> Sample {
        try await sample(amount: count) {
            let received = try await self.client.withStream(
                Self.stream,
                InferHead(contentBytes: UInt64(count))
            ) { messages in
                var received = 0
                for try await _ in messages { received += 1 }
                return received
            }
            guard received == count else { throw WrongCount(received: received) }
        }
    }

    /// By a responder and callbacks on the event loops of both sides.
    func serverStreamOnEventLoops(count: Int) async throws -> Sample {
        // Waits for the connection, which streams from event loops do not.
        _ = try await self.client.call(Self.echo, InferUnaryRequest())
        return try await sample(amount: count) {
            let received = Counter()
            try await withCheckedThrowingContinuation { done in
                self.client.stream(Self.streamAtOnce, InferHead(contentBytes: UInt64(count))) { chunk in
                    if chunk.data.readableBytes == 100 { received.increment() }
                } completion: {
                    done.resume(with: $0)
                }
            }
            guard received.count == count else { throw WrongCount(received: received.count) }
        }
    }

    struct WrongCount: Error {
        var received: Int
    }
}

/// Calls from as many tasks as are in flight, on the threads that all tasks share or on `executor`.
func inParallel(
    _ inFlight: Int,
    count: Int,
    on executor: (any TaskExecutor)? = nil,
    _ call: @escaping @Sendable () async throws -> Void
) async throws -> Sample {
    try await sample(amount: count / inFlight * inFlight) {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<inFlight {
                group.addTask(executorPreference: executor) {
                    for _ in 0..<(count / inFlight) { try await call() }
                }
            }
            try await group.waitForAll()
        }
    }
}

/// Answers with as many messages of 100 bytes as are asked for.
private final class ChunkSource: RPCStreamResponder {
    private let chunk = InferChunk(sequence: 0, data: ByteBuffer(repeating: 42, count: 100))
    private var left: UInt64 = 0

    func received(_ message: InferHead) { self.left = message.contentBytes }

    func receivedEnd() {}

    func next() -> RPCStreamStep<InferChunk> {
        guard self.left > 0 else { return .end }
        self.left -= 1
        return .message(self.chunk)
    }

    func ended(_ error: RPCError) {}
}

/// Counts on one event loop.
private final class Counter: Sendable {
    private let value = Atomic(0)

    var count: Int { self.value.load(ordering: .acquiring) }

    func increment() {
        self.value.store(self.value.load(ordering: .relaxed) + 1, ordering: .releasing)
    }
}
