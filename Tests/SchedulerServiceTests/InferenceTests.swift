import CurlHTTP
import EngineSimulator
import Foundation
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerEngines
import Synchronization
import TestSupport
import Testing

/// `Inference` over loopback, with the simulated engine.
@Suite(.timeLimit(.minutes(3)))
struct InferenceTests {
    private typealias Bench = InferenceFixture

    @Test("what an engine answers comes byte for byte, long and short")
    func answersAreTheEngines() async throws {
        try await Bench.withSimulator { engine in
            let body = Bench.body("hello")
            let direct = try await engine.http.send(
                HTTPRequest(
                    method: .post,
                    url: engine.address.url + "/v1/chat/completions",
                    body: .bytes(Array(body.readableBytesView)),
                    limits: EngineLimits().transfer,
                    maximumResponseBytes: 1 << 20
                )
            )
            try await Bench.run(engines: [engine]) { bench in
                for requestClass: RequestClass in [.online, .flex, .batch] {
                    let (head, answer) = try await bench.infer(Bench.head(requestClass), body)
                    #expect(head == Self.head(of: direct.body))
                    #expect(Array(answer.readableBytesView) == direct.body)
                }
                let head = Bench.head(bytes: UInt64(body.readableBytes))
                let short = try await bench.client.call(
                    InferenceService.inferUnary,
                    InferUnaryRequest(head: head, body: body)
                )
                #expect(short.head == Self.head(of: direct.body))
                #expect(Array(short.body.readableBytesView) == direct.body)
            }
        }
    }

    private static func head(of body: [UInt8]) -> InferAnswerHead {
        InferAnswerHead(status: 200, contentType: "application/json", contentBytes: UInt64(body.count))
    }

    @Test(
        "a status of the engine is its answer, with how long to wait before another try",
        arguments: [400, 404, 429, 500, 503] as [UInt32]
    )
    func errorsOfTheEngineAreAnswers(_ status: UInt32) async throws {
        try await Bench.withSimulator { engine in
            try await Bench.run(engines: [engine]) { bench in
                let body = Bench.body("[[fault:status;code=\(status);retry_after=7]]")
                let (head, answer) = try await bench.infer(Bench.head(), body)
                #expect(head.status == status && head.contentType == "application/json")
                #expect(head.retryAfterMilliseconds == 7_000)
                #expect(head.contentBytes == UInt64(answer.readableBytes))
                #expect(String(buffer: answer).contains("simulated_fault"))
            }
        }
    }

    @Test("an event comes while the engine still generates; whoever leaves then has the engine stop")
    func eventsComeAtOnce() async throws {
        let directory = try TemporaryDirectory()
        let ledger = directory.path + "/witness"
        try await Bench.withSimulator {
            $0.timePerToken = .seconds(3_600)
            $0.witness = ledger
        } _: { engine in
            try await Bench.run(engines: [engine]) { bench in
                let body = Bench.body("tell", more: #","stream":true"#)
                try await bench.client.withInference(Bench.head(), body: body) { head, pieces in
                    #expect(head.contentType == "text/event-stream")
                    var iterator = pieces.makeAsyncIterator()
                    let first = try #require(try await iterator.next())
                    #expect(String(buffer: first).hasPrefix("data: {"))
                    #expect(try Self.entries(ledger).isEmpty, "the engine has not ended")
                }
                #expect(try await Self.nextEntry(ledger).contains(#""outcome":"cancelled""#))
            }
        }
    }

    @Test("a call that expires or is cancelled ends at the engine", arguments: ["deadline", "task", "unary deadline"])
    func endsReachTheEngine(_ how: String) async throws {
        let directory = try TemporaryDirectory()
        let ledger = directory.path + "/witness"
        try await Bench.withSimulator {
            $0.witness = ledger
        } _: { engine in
            try await Bench.run(engines: [engine]) { bench in
                let body = Bench.body("[[fault:hang]]")
                // On a busy machine a call may expire before the engine has it; then a longer one is made.
                func expire(_ call: (CallOptions) async throws -> Void) async {
                    var timeout = Duration.milliseconds(100)
                    while engine.measures.withLock({ $0.read }) < body.readableBytes {
                        timeout = timeout * 2
                        let options = CallOptions(timeout: timeout)
                        let error = await #expect(throws: RPCError.self) { try await call(options) }
                        #expect(error?.code == .deadlineExceeded)
                    }
                }
                switch how {
                case "deadline": await expire { _ = try await bench.infer(Bench.head(), body, options: $0) }
                case "unary deadline":
                    let request = InferUnaryRequest(head: Bench.head(bytes: UInt64(body.readableBytes)), body: body)
                    await expire {
                        _ = try await bench.client.call(InferenceService.inferUnary, request, options: $0)
                    }
                default:
                    await withTaskGroup(of: Void.self) { group in
                        group.addTask { _ = try? await bench.infer(Bench.head(), body) }
                        // The engine has the whole request once it was read.
                        while engine.measures.withLock({ $0.read }) < body.readableBytes { await Task.yield() }
                        group.cancelAll()
                    }
                }
                let entry = try await Self.nextEntry(ledger)
                #expect(entry.contains(#""outcome":"cancelled""#))
            }
        }
    }

    /// What is on its way at most: the window of credits, a chunk that is being filled, and what the HTTP client hands
    /// over at a time.
    private static let mostOnItsWay = 1 << 20 + 256 << 10 + 64 << 10

    @Test("an answer of 64 MiB comes whole, and a consumer that stops stops the engine")
    func largeAnswer() async throws {
        // The simulator puts eight bytes around them.
        let bytes = 64 << 20 - 8
        try await Bench.withSimulator { engine in
            try await Bench.run(engines: [engine]) { bench in
                let body = Bench.body("[[fault:huge;bytes=\(bytes)]]")
                let options = CallOptions(timeout: .seconds(150))
                try await bench.client.withInference(Bench.head(), body: body, options: options) { head, pieces in
                    #expect(head.status == 200)
                    // Nothing is consumed: as much comes as there is credit for, and no more.
                    for await _ in engine.pauses where engine.measures.withLock({ $0.taken }) >= 1 << 20 { break }
                    #expect(engine.measures.withLock { $0.taken } <= Self.mostOnItsWay)
                    var consumed = 0
                    var most = 0
                    for try await piece in pieces {
                        most = max(most, engine.measures.withLock { $0.taken } - consumed)
                        consumed += piece.readableBytes
                    }
                    #expect(consumed == 64 << 20)
                    #expect(most <= Self.mostOnItsWay + (512 << 10), "a grant that is on its way")
                }
            }
        }
    }

    @Test("a body of 64 MiB reaches the engine whole and is never held whole")
    func largeBody() async throws {
        let engine = ScriptedEngine()
        try await Bench.run(engines: [engine]) { bench in
            let total = 64 << 20
            let given = Mutex(0)
            let pieces = AsyncStream<ByteBuffer> {
                let count = given.withLock { given in
                    let count = min(300_000, total - given)
                    given += count
                    return count
                }
                return count > 0 ? ByteBuffer(repeating: UInt8(count & 0x7F), count: count) : nil
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    let head = Bench.head(bytes: UInt64(total))
                    let text = try await bench.client.withInference(head, body: pieces) { _, pieces in
                        var text = ""
                        for try await piece in pieces { text += String(buffer: piece) }
                        return text
                    }
                    #expect(text == "done")
                }
                let call = try #require(await engine.next())
                #expect(call.request.contentBytes == total)
                var read = 0
                var most = 0
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 1)
                defer { buffer.deallocate() }
                // Until the first look the window fills, and not more.
                while given.withLock({ $0 }) < 1 << 20 { await Task.yield() }
                while read < total {
                    let taken = try call.request.read(buffer)
                    call.request.onTurn()
                    guard let count = taken else {
                        await Task.yield()
                        continue
                    }
                    most = max(most, given.withLock { $0 } - read)
                    read += count
                }
                // The window, a grant on its way, and the pieces that the sender holds.
                #expect(most <= 1 << 20 + 512 << 10 + 900_000)
                let end = try call.request.read(buffer)
                #expect(end == 0)
                call.answer("done")
                try await group.waitForAll()
            }
        }
    }

    @Test("a body of 5 MiB goes through the HTTP client as it comes")
    func bodyThroughTheClient() async throws {
        try await Bench.withSimulator { engine in
            try await Bench.run(engines: [engine]) { bench in
                let body = Bench.body(String(repeating: "x", count: 5 << 20))
                let (head, answer) = try await bench.infer(Bench.head(), body)
                #expect(head.status == 200)
                #expect(String(buffer: answer).contains("chat.completion"))
                #expect(engine.measures.withLock { $0.read } == body.readableBytes)
            }
        }
    }

    private static func entries(_ ledger: String) throws -> [Substring] {
        try String(contentsOfFile: ledger, encoding: .utf8).split(separator: "\n")
    }

    /// The ledger's first entry, once it is there.
    private static func nextEntry(_ ledger: String) async throws -> Substring {
        while true {
            if let entry = try Self.entries(ledger).first { return entry }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}
