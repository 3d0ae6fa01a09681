import CurlHTTP
import EngineSimulator
import Foundation
import Logging
import Settings
import Synchronization
import Testing

/// Transfers that their sender pauses, resumes and cancels.
@Suite(.timeLimit(.minutes(1)))
struct PausedTransferTests {
    /// Tells the test what a callback saw.
    private struct Events: Sendable {
        let stream: AsyncStream<String>
        let sink: AsyncStream<String>.Continuation

        init() { (self.stream, self.sink) = AsyncStream.makeStream() }

        func next() async -> String? { await self.stream.first { _ in true } }
    }

    private static let body = Array(#"{"model":"simulated-model","messages":[]}"#.utf8)

    private func withEngine(_ body: (_ url: String, CurlClient) async throws -> Void) async throws {
        let (ports, port) = AsyncStream<Int>.makeStream()
        let simulator = EngineSimulator(configuration: SimulatorConfiguration(), logger: Logger(label: "test")) {
            port.yield($0.port)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            let bound = try #require(await ports.first { _ in true })
            try await body("http://127.0.0.1:\(bound)/v1/chat/completions", CurlClient())
            group.cancelAll()
        }
    }

    private func request(_ url: String, fault: String? = nil, idle: Duration = .seconds(30)) -> HTTPRequest {
        HTTPRequest(
            method: .post,
            url: url,
            headers: fault.map { [HTTPHeader(name: "x-simulator-fault", value: $0)] } ?? [],
            body: .bytes(Self.body),
            limits: TransferLimits(connect: .seconds(5), firstByte: .seconds(30), betweenBytes: idle, total: nil),
            maximumResponseBytes: 64 << 20,
            control: TransferControl()
        )
    }

    @Test("an error ends a request whose body is not all there, however long its sender pauses", arguments: [400, 200])
    func errorsEndPausedRequests(status: Int) async throws {
        let answer = "HTTP/1.1 \(status) X\r\ncontent-length: 2\r\n\r\nno"
        try await RawServer.run(answer: answer) { url in
            var request = self.request(url, idle: .milliseconds(500))
            request.body = .stream(length: 10) { _ in nil }
            let client = CurlClient()
            if status == 400 {
                let response = try await client.send(request)
                #expect(response.status == 400)
                #expect(response.body == Array("no".utf8))
            } else {
                // A server may answer before it has read all; the rest is still to be sent.
                await #expect(throws: HTTPTransferError.self) { try await client.send(request) }
            }
        }
    }

    @Test func aPausedAnswerGoesOnWhereItWasAndComesWhole() async throws {
        try await self.withEngine { url, client in
            let events = Events()
            let taken = Mutex((pieces: 0, bytes: 0, mayTake: false))
            var request = self.request(url, fault: "huge;bytes=8000000")
            request.onHead = { status, headers in
                events.sink.yield("head \(status) \(headers["content-type"] ?? "")")
            }
            request.onBody = { piece in
                let answer = taken.withLock { taken -> HTTPBodyAnswer in
                    // Every seventh piece has to come again.
                    guard taken.mayTake else { return .pause }
                    taken.pieces += 1
                    taken.bytes += piece.count
                    taken.mayTake = taken.pieces % 7 != 0
                    return .taken
                }
                if case .pause = answer { events.sink.yield("paused") }
                return answer
            }
            let (results, result) = AsyncStream<Int?>.makeStream()
            client.start(request) {
                result.yield(try? $0.get().status)
                events.sink.finish()
            }
            #expect(await events.next() == "head 200 application/json")
            var pauses = 0
            for await event in events.stream where event == "paused" {
                pauses += 1
                taken.withLock { $0.mayTake = true }
                request.control?.resume()
            }
            #expect(await results.first { _ in true } == .some(200))
            #expect(taken.withLock { $0.bytes } == 8_000_008)
            #expect(pauses > 10)
        }
    }

    @Test func aBodyThatIsNotThereYetIsAskedForAgain() async throws {
        try await self.withEngine { url, client in
            let events = Events()
            let sent = Mutex((bytes: 0, mayGive: false))
            var request = self.request(url)
            request.body = .stream(length: Int64(Self.body.count)) { buffer in
                let count = sent.withLock { sent -> Int? in
                    guard sent.mayGive else { return nil }
                    sent.mayGive = false
                    let count = min(10, Self.body.count - sent.bytes)
                    buffer.copyBytes(from: Self.body[sent.bytes..<(sent.bytes + count)])
                    sent.bytes += count
                    return count
                }
                if count == nil { events.sink.yield("asked") }
                return count
            }
            let (results, result) = AsyncStream<[UInt8]>.makeStream()
            client.start(request) {
                result.yield((try? $0.get().body) ?? [])
                events.sink.finish()
            }
            for await _ in events.stream {
                sent.withLock { $0.mayGive = true }
                request.control?.resume()
            }
            request.body = .bytes(Self.body)
            let expected = try await client.send(request).body
            #expect(await results.first { _ in true } == expected)
        }
    }

    @Test func statusAndFieldsComeBeforeAnyBodyWhateverTheStatus() async throws {
        try await self.withEngine { url, client in
            for status in [200, 429, 503] {
                let seen = Mutex([String]())
                var request = self.request(url, fault: "status;code=\(status)")
                request.onHead = { status, _ in seen.withLock { $0.append("\(status)") } }
                request.onBody = { _ in
                    seen.withLock { $0.append("body") }
                    return .taken
                }
                _ = try await client.send(request)
                #expect(seen.withLock { $0 } == ["\(status)", "body"])
            }
        }
    }

    @Test func neitherInterimAnswersNorTrailersAreTheHead() async throws {
        let interim = "HTTP/1.1 103 Early Hints\r\nretry-after: 7\r\n\r\n"
        let final = "HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"
        let trailers = "0\r\nretry-after: 9\r\nHTTP/1.1: 200\r\n\r\n"
        try await RawServer.run(answer: "HTTP/1.1 100 Continue\r\n\r\n" + interim + final + trailers) { url in
            let client = CurlClient()
            let seen = Mutex([String]())
            var request = self.request(url)
            request.onHead = { status, headers in
                seen.withLock { $0.append("\(status) \(headers["retry-after"] ?? "-")") }
            }
            let response = try await client.send(request)
            #expect(seen.withLock { $0 } == ["503 -"])
            #expect(response.status == 503 && response.headers["retry-after"] == nil)
            #expect(response.body == Array("{}".utf8))
            client.shutdown()
        }
    }

    @Test func aRequestIsCancelledAloneAtAnyTime() async throws {
        try await self.withEngine { url, client in
            let events = Events()
            let paused = self.request(url, fault: "huge;bytes=1000000")
            var request = paused
            request.onBody = { _ in
                events.sink.yield("paused")
                return .pause
            }
            let (results, result) = AsyncStream<HTTPTransferError.Code?>.makeStream()
            client.start(request) { outcome in
                if case .failure(let error) = outcome { result.yield(error.code) } else { result.yield(nil) }
            }
            #expect(await events.next() == "paused")
            request.control?.cancel()
            #expect(await results.first { _ in true } == .some(.cancelled))
            // Cancelled before it was started.
            let late = await #expect(throws: HTTPTransferError.self) { try await client.send(request) }
            #expect(late?.code == .cancelled && late?.mayHaveBeenSent == false)
        }
    }

    @Test("a body that is there is filled in once, in one piece, and the turns of an answer are told until it ends")
    func wholeBodiesAndTurns() async throws {
        try await self.withEngine { url, client in
            let events = Events()
            var request = self.request(url, fault: "huge;bytes=1000000")
            request.body = .copied(length: Self.body.count) { buffer in
                events.sink.yield("fill \(buffer.count)")
                buffer.copyBytes(from: Self.body)
                return buffer.count
            }
            let isPaused = Atomic<Bool>(true)
            request.onHead = { _, _ in events.sink.yield("head") }
            request.onBody = { _ in isPaused.load(ordering: .relaxed) ? .pause : .taken }
            request.onTurn = { events.sink.yield("turn") }
            let paused = request
            async let response = client.send(paused)
            #expect(await events.next() == "fill \(Self.body.count)")
            #expect(await events.next() == "head")
            #expect(await events.next() == "turn")
            isPaused.store(false, ordering: .relaxed)
            paused.control?.resume()
            let status = try await response.status
            #expect(status == 200)
            events.sink.finish()
            for await event in events.stream { #expect(event == "turn") }
            // What cannot be filled in is not sent.
            request.body = .copied(length: 5) { _ in 4 }
            let short = request
            let error = await #expect(throws: HTTPTransferError.self) { try await client.send(short) }
            #expect(error?.code == .callback && error?.mayHaveBeenSent == false)
        }
    }

    @Test("whoever pauses a transfer and does not go on loses it")
    func aPauseIsBounded() async throws {
        try await self.withEngine { url, client in
            var answer = self.request(url, fault: "huge;bytes=1000000", idle: .milliseconds(50))
            answer.onBody = { _ in .pause }
            var body = self.request(url, idle: .milliseconds(50))
            body.body = .stream(length: 10) { _ in nil }
            for request in [answer, body] {
                let error = await #expect(throws: HTTPTransferError.self) { try await client.send(request) }
                #expect(error?.code == .timeout(.paused))
            }
        }
    }
}
