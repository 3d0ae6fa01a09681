import CurlHTTP
import EngineSimulator
import Foundation
import Logging
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerEngines
import Settings
import Synchronization
import TestSupport

@testable import SchedulerService

/// A scheduler behind its socket, and a client of it.
struct InferenceFixture: Sendable {
    let client: RPCClient

    /// Runs a scheduler on these engines while `body` calls it. It begins when the engines have told their models.
    static func run<Result: Sendable>(
        engines: [any Engine],
        _ change: (inout SchedulerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (InferenceFixture) async throws -> Result
    ) async throws -> Result {
        let scheduler = try await TestScheduler(engines: engines, change)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = RPCServer(
            configuration: RPCServerConfiguration(),
            router: scheduler.node.router,
            logger: logger
        ) { port.yield($0.port ?? 0) }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await SchedulerNode.runTogether(scheduler.node.services + [server]) }
            let bound = await ports.first { _ in true } ?? 0
            var configuration = RPCClientConfiguration(endpoints: [.init(host: "127.0.0.1", port: bound)])
            configuration.connectionWait = .seconds(60)
            let client = RPCClient(configuration: configuration, logger: logger)
            group.addTask { await client.run() }
            let bench = InferenceFixture(client: client)
            try await bench.untilReady(engines.count)
            let result = try await body(bench)
            group.cancelAll()
            return result
        }
    }

    private func untilReady(_ engines: Int) async throws {
        while true {
            let status = try await self.client.call(AdminService.getStatus, GetStatusRequest())
            if status.engines.allSatisfy({ $0.reason != "not asked yet" }) { return }
            await Task.yield()
        }
    }

    /// Runs a simulated engine while `body` uses it.
    static func withSimulator<Result: Sendable>(
        _ change: (inout SimulatorConfiguration) -> Void = { _ in },
        _ body: (MeasuredEngine) async throws -> Result
    ) async throws -> Result {
        var configuration = SimulatorConfiguration()
        change(&configuration)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let simulator = EngineSimulator(configuration: configuration, logger: Logger(label: "test")) {
            port.yield($0.port)
        }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            let address = EngineAddress(url: "http://127.0.0.1:\(await ports.first { _ in true } ?? 0)")
            let http = CurlClient()
            let engine = EngineClient(address: address, http: http, limits: EngineLimits())
            let result = try await body(MeasuredEngine(engine, http))
            group.cancelAll()
            return result
        }
    }

    /// The head of a request to the simulator.
    static func head(
        _ requestClass: RequestClass = .online,
        model: String = "simulated-model",
        path: String = "/v1/chat/completions",
        bytes: UInt64 = 0
    ) -> InferHead {
        InferHead(requestClass: requestClass, model: model, path: path, contentBytes: bytes)
    }

    /// A body for the simulator.
    static func body(_ text: String = "", more: String = "") -> ByteBuffer {
        ByteBuffer(string: #"{"model":"simulated-model","messages":[{"content":"\#(text)"}]\#(more)}"#)
    }

    /// Asks and gives the whole answer.
    func infer(
        _ head: InferHead = Self.head(),
        _ body: ByteBuffer = Self.body(),
        options: CallOptions = CallOptions(timeout: .seconds(120))
    ) async throws -> (head: InferAnswerHead, body: ByteBuffer) {
        try await self.client.withInference(head, body: body, options: options) { head, pieces in
            var whole = ByteBuffer()
            for try await piece in pieces { whole.writeImmutableBuffer(piece) }
            return (head, whole)
        }
    }

    /// Opens a stream, sends these messages, and gives the status with which it fails, if it does.
    func failure(of messages: [InferRequest], thenClosing: Bool = false) async throws -> RPCError? {
        try await self.client.withStream(InferenceService.infer) { writer, answers in
            do {
                for message in messages { try await writer.send(message) }
                if thenClosing { writer.finish() }
                for try await _ in answers {}
                return nil
            } catch  where (error as? RPCError)?.code == .failedPrecondition {
                // Sending found the stream ended: the reason is behind the messages.
                do throws(RPCError) {
                    for try await _ in answers {}
                    return nil
                } catch {
                    return error
                }
            } catch {
                return error as? RPCError
            }
        }
    }
}

/// The real client of an engine, and what moves through it.
final class MeasuredEngine: Engine {
    struct Measures: Sendable {
        var read = 0
        var taken = 0
        var pauses = 0
    }

    let http: CurlClient
    let measures = Mutex(Measures())
    /// Tells each time that an answer was paused.
    let pauses: AsyncStream<Void>
    private let paused: AsyncStream<Void>.Continuation
    private let engine: EngineClient

    init(_ engine: EngineClient, _ http: CurlClient) {
        self.engine = engine
        self.http = http
        (self.pauses, self.paused) = AsyncStream.makeStream()
    }

    var address: EngineAddress { self.engine.address }

    func models() async throws(AttemptFailure) -> [String] { try await self.engine.models() }

    func send(
        path: String,
        body: [UInt8],
        requestID: String,
        group: TransferGroup,
        onAnswer: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        self.engine.send(path: path, body: body, requestID: requestID, group: group, onAnswer: onAnswer)
    }

    func stream(_ request: StreamedRequest, onEnd: @escaping @Sendable (EngineAnswer) -> Void) {
        var measured = request
        measured.read = { buffer in
            let count = try request.read(buffer)
            self.measures.withLock { $0.read += count ?? 0 }
            return count
        }
        measured.onBody = { piece in
            let answer = try request.onBody(piece)
            guard case .taken = answer else {
                self.measures.withLock { $0.pauses += 1 }
                self.paused.yield()
                return answer
            }
            self.measures.withLock { $0.taken += piece.count }
            return answer
        }
        self.engine.stream(measured, onEnd: onEnd)
    }
}

/// An engine that a test plays itself.
final class ScriptedEngine: Engine {
    /// A request that came, and how it ends.
    struct Call: Sendable {
        let request: StreamedRequest
        let end: @Sendable (EngineAnswer) -> Void
    }

    let address: EngineAddress
    private let names: [String]
    private let calls: AsyncStream<Call>
    private let call: AsyncStream<Call>.Continuation

    init(_ name: String = "scripted", models: [String] = ["simulated-model"]) {
        self.address = EngineAddress(url: "http://" + name)
        self.names = models
        (self.calls, self.call) = AsyncStream.makeStream()
    }

    /// The next request.
    func next() async -> Call? { await self.calls.first { _ in true } }

    func models() async throws(AttemptFailure) -> [String] { self.names }

    func send(
        path _: String,
        body _: [UInt8],
        requestID _: String,
        group _: TransferGroup,
        onAnswer: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        onAnswer(.cancelled)
    }

    func stream(_ request: StreamedRequest, onEnd: @escaping @Sendable (EngineAnswer) -> Void) {
        self.call.yield(Call(request: request, end: onEnd))
    }
}

extension ScriptedEngine.Call {
    /// Answers as a whole.
    func answer(_ text: String, status: Int = 200) {
        self.begin(text, status: status)
        self.end(.answered(EngineResponse(status: status, body: [])))
    }

    /// Answers with a head and a first piece.
    func begin(_ text: String, status: Int = 200) {
        self.request.onHead(EngineAnswerHead(status: status, contentType: "application/json"))
        _ = Array(text.utf8).withUnsafeBytes { try? self.request.onBody($0) }
        self.request.onTurn()
    }

    /// Ends without a whole answer.
    func fail(_ kind: AttemptFailure.Kind, mayHaveRun: Bool) {
        self.end(.failed(AttemptFailure(kind: kind, mayHaveRun: mayHaveRun, message: "\(kind)")))
    }
}
