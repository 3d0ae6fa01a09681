import CurlHTTP
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerEngines
import Synchronization
import Testing

@testable import SchedulerService

/// Calls of `Inference` that are refused, fail or have to wait, with an engine that the test plays.
@Suite(.timeLimit(.minutes(1)))
struct InferenceRefusalTests {
    private typealias Bench = InferenceFixture

    private static func chunk(_ sequence: UInt64, _ bytes: Int) -> InferRequest {
        InferRequest(part: .chunk(InferChunk(sequence: sequence, data: ByteBuffer(repeating: 1, count: bytes))))
    }

    private static func head(_ bytes: UInt64) -> InferRequest {
        InferRequest(part: .head(Bench.head(bytes: bytes)))
    }

    /// Messages that break the protocol, and a part of what is said of them.
    private static let violations: [(name: String, messages: [InferRequest], closes: Bool, says: String)] = [
        ("no head", [Self.chunk(0, 1)], false, "before the head"),
        ("credit first", [InferRequest(part: .credit(Credit(messages: 1, bytes: 1)))], false, "has to be the head"),
        ("nothing", [], true, "has to be the head"),
        ("two heads", [Self.head(9), Self.head(9)], false, "second head"),
        ("no content", [Self.head(0)], false, "content_bytes"),
        ("too much content", [Self.head(64 << 20 + 1)], false, "content_bytes"),
        ("wrong sequence", [Self.head(9), Self.chunk(1, 1)], false, "chunk 1 came where chunk 0"),
        ("too many bytes", [Self.head(9), Self.chunk(0, 10)], false, "more than the 9"),
        ("too few bytes", [Self.head(9), Self.chunk(0, 8)], true, "8 bytes came where 9"),
        ("a large chunk", [Self.head(1 << 20), Self.chunk(0, 256 << 10 + 1)], false, "give 1 to 262144"),
        ("large grant", [Self.head(9), InferRequest(part: .credit(Credit(messages: 33)))], false, "more than 64"),
    ]

    @Test("G6-02 who breaks the protocol of the stream is told how, and the engine stops")
    func violationsAreRefused() async throws {
        try await Bench.withSimulator { engine in
            try await Bench.run(engines: [engine]) { bench in
                for (name, messages, closes, says) in Self.violations {
                    let error = try await bench.failure(of: messages, thenClosing: closes)
                    #expect(error?.code == .invalidArgument, "\(name)")
                    #expect(error?.message.contains(says) == true, "\(name): \(error?.message ?? "")")
                }
                let status = try await bench.client.call(AdminService.getStatus, GetStatusRequest())
                #expect(status.engines.map(\.requestsInFlight) == [0])
            }
        }
    }

    @Test("G6-02 chunks beyond the credit are refused while the engine reads nothing")
    func overCredit() async throws {
        let engine = ScriptedEngine()
        try await Bench.run(engines: [engine]) { bench in
            async let error = bench.failure(of: [Self.head(99)] + (0..<33).map { Self.chunk($0, 1) })
            let call = try #require(await engine.next())
            while !call.request.control.isCancelled { await Task.yield() }
            call.end(.cancelled)
            let refusal = try await error
            #expect(refusal?.code == .invalidArgument && refusal?.message.contains("no credit") == true)
        }
    }

    @Test("a path or class that does not exist and a model that nobody serves are named")
    func headsAreChecked() async throws {
        try await Bench.run(engines: [ScriptedEngine(models: ["a", "b"])]) { bench in
            let heads: [(InferHead, RPCStatus.Code, String)] = [
                (Bench.head(model: "a", path: "/etc/passwd"), .invalidArgument, "/v1/chat/completions"),
                (Bench.head(model: "a", path: "/v1/chat/completions?x"), .invalidArgument, "/v1/embeddings"),
                (Bench.head(.unspecified, model: "a"), .invalidArgument, "online, flex or batch"),
                (Bench.head(RequestClass(rawValue: 9), model: "a"), .invalidArgument, "online, flex or batch"),
                (Bench.head(model: ""), .invalidArgument, "model"),
                (Bench.head(model: "c"), .notFound, "There are: a, b."),
            ]
            for (head, code, says) in heads {
                let error = await #expect(throws: RPCError.self) { _ = try await bench.infer(head) }
                #expect(error?.code == code)
                #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
            }
        }
    }

    @Test("G6-07 a call's trace is a matter of its engine, when it is well-formed")
    func traces() throws {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let metadata = RPCMetadata([("traceparent", parent), ("tracestate", "a=b")])
        let traced = try EngineRequest(Bench.head(.online, bytes: 1), RPCContext(metadata: metadata))
        #expect(traced.traceFields.map { "\($0.name): \($0.value)" } == ["traceparent: \(parent)", "tracestate: a=b"])
        let odd = RPCContext(metadata: RPCMetadata([("traceparent", "\(parent)\r\nx: y")]))
        #expect(try EngineRequest(Bench.head(.online, bytes: 1), odd).traceFields.isEmpty)
    }

    @Test("design 3: a service sends the classes that its rule names")
    func classesOfServices() throws {
        let service = RPCCaller(name: "reports", roles: .service, tenant: "t", requestClasses: [.flex, .batch])
        let context = RPCContext(caller: service)
        #expect(try EngineRequest(Bench.head(.flex, bytes: 1), context).tenant == "t")
        let error = #expect(throws: RPCError.self) { try EngineRequest(Bench.head(.online), context) }
        #expect(error?.code == .permissionDenied)
        #expect(error?.message == "reports may not send requests of the class online.")
    }

    @Test("without an engine that answers nothing waits")
    func enginesThatAreDown() async throws {
        let nobody = EngineClient(
            address: EngineAddress(url: "http://127.0.0.1:1"),
            http: CurlClient(),
            limits: EngineLimits()
        )
        for engines in [[], [nobody]] {
            try await Bench.run(engines: engines) { bench in
                let error = await #expect(throws: RPCError.self) { _ = try await bench.infer() }
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains(engines.isEmpty ? "--engine" : "127.0.0.1") == true)
            }
        }
    }

    @Test(
        "UNAVAILABLE only when a request provably did not run",
        arguments: AttemptFailure.Kind.allCases,
        [true, false]
    )
    func failuresHaveTheirCodes(_ kind: AttemptFailure.Kind, _ mayHaveRun: Bool) async throws {
        let engine = ScriptedEngine()
        try await Bench.run(engines: [engine]) { bench in
            async let error = #expect(throws: RPCError.self) { _ = try await bench.infer() }
            await engine.next()?.fail(kind, mayHaveRun: mayHaveRun)
            let code = await error?.code
            switch kind {
            case .answerTooLarge: #expect(code == .resourceExhausted)
            case .unsendable: #expect(code == .invalidArgument)
            case .timedOut where mayHaveRun: #expect(code == .deadlineExceeded)
            case .unreachable where mayHaveRun, .broken where mayHaveRun: #expect(code == .unknown)
            default: #expect(code == .unavailable)
            }
        }
    }

    @Test("a request that did not reach its engine is sent to another one")
    func anotherEngineIsTried() async throws {
        let engines = [ScriptedEngine("one"), ScriptedEngine("two")]
        try await Bench.run(engines: engines) { bench in
            async let answer = bench.infer()
            await engines[0].next()?.fail(.unreachable, mayHaveRun: false)
            let second = try #require(await engines[1].next())
            second.answer("here")
            #expect(try await String(buffer: answer.body) == "here")
        }
    }

    @Test("an engine that breaks off leaves what it said, and an error behind it")
    func brokenOff() async throws {
        let engine = ScriptedEngine()
        try await Bench.run(engines: [engine]) { bench in
            async let outcome = bench.client.withInference(Bench.head(), body: Bench.body()) { head, pieces in
                var text = "\(head.status) "
                do throws(RPCError) {
                    for try await piece in pieces { text += String(buffer: piece) }
                    return text
                } catch {
                    return text + " \(error.code)"
                }
            }
            let call = try #require(await engine.next())
            call.begin("half", status: 201)
            call.fail(.broken, mayHaveRun: true)
            #expect(try await outcome == "201 half UNKNOWN")
        }
    }

    @Test("a request waits for a place, and leaves when its caller does")
    func waiting() async throws {
        let engine = ScriptedEngine()
        try await Bench.run(engines: [engine], { $0.engineConcurrency = 1 }) { bench in
            async let first = bench.infer()
            let running = try #require(await engine.next())
            let options = CallOptions(timeout: .milliseconds(100))
            let error = await #expect(throws: RPCError.self) { _ = try await bench.infer(options: options) }
            #expect(error?.code == .deadlineExceeded)
            running.answer("one")
            #expect(try await String(buffer: first.body) == "one")
            try await withThrowingTaskGroup(of: Void.self) { group in
                // The call that left may have got the place a moment before.
                group.addTask { while let call = await engine.next() { call.answer("two") } }
                let second = try await bench.infer()
                #expect(String(buffer: second.body) == "two")
                group.cancelAll()
            }
        }
    }

    @Test("the short form refuses what does not fit")
    func shortForm() async throws {
        let engine = ScriptedEngine()
        try await Bench.run(engines: [engine]) { bench in
            func error(_ head: InferHead?, _ bytes: Int) async -> RPCError? {
                let request = InferUnaryRequest(head: head, body: ByteBuffer(repeating: 1, count: bytes))
                return await #expect(throws: RPCError.self) {
                    _ = try await bench.client.call(InferenceService.inferUnary, request)
                }
            }
            #expect(await error(nil, 1)?.code == .invalidArgument)
            #expect(await error(Bench.head(bytes: 2), 1)?.message.contains("1 bytes came where 2") == true)
            let limit = InferLimits.maximumUnaryContentBytes
            #expect(await error(Bench.head(bytes: UInt64(limit + 1)), limit + 1)?.message.contains("use Infer") == true)
            let request = InferUnaryRequest(head: Bench.head(bytes: 1), body: ByteBuffer(repeating: 1, count: 1))
            async let large = #expect(throws: RPCError.self) {
                _ = try await bench.client.call(InferenceService.inferUnary, request)
            }
            let call = try #require(await engine.next())
            #expect(call.request.maximumAnswerBytes == limit)
            call.fail(.answerTooLarge, mayHaveRun: true)
            let code = await large?.code
            #expect(code == .resourceExhausted)
        }
    }

    @Test("a call that is lost leaves its place to the next")
    func placesComeBack() async throws {
        let engine = ScriptedEngine()
        try await Bench.run(engines: [engine], { $0.engineConcurrency = 1 }) { bench in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await bench.infer() }
                let call = await engine.next()
                group.cancelAll()
                while call?.request.control.isCancelled == false { await Task.yield() }
                call?.end(.cancelled)
            }
            async let answer = bench.infer()
            await engine.next()?.answer("next")
            let body = try await answer.body
            #expect(String(buffer: body) == "next")
        }
    }
}
