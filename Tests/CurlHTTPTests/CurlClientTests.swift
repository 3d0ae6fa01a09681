import CurlHTTP
import EngineSimulator
import Foundation
import Logging
import Settings
import Synchronization
import TestSupport
import Testing

/// The client against a real server with faults on request, and against nobody.
@Suite(.timeLimit(.minutes(1)))
struct CurlClientTests {
    static let limits = TransferLimits(
        connect: .seconds(5),
        firstByte: .seconds(30),
        betweenBytes: .seconds(30),
        total: .seconds(60)
    )

    /// Runs a simulated engine while `body` talks to it.
    private func withEngine(
        _ change: (inout SimulatorConfiguration) -> Void = { _ in },
        _ body: (_ url: String, CurlClient) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration()
        change(&configuration)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let simulator = EngineSimulator(configuration: configuration, logger: Logger(label: "test")) {
            port.yield($0.port)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            var iterator = ports.makeAsyncIterator()
            let bound = try #require(await iterator.next())
            let client = CurlClient()
            try await body("http://127.0.0.1:\(bound)", client)
            group.cancelAll()
        }
    }

    private func request(
        _ url: String,
        fault: String? = nil,
        limits: TransferLimits = limits,
        maximumResponseBytes: Int = 1 << 20,
        group: TransferGroup? = nil
    ) -> HTTPRequest {
        HTTPRequest(
            method: .post,
            url: url + "/v1/chat/completions",
            headers: fault.map { [HTTPHeader(name: "x-simulator-fault", value: $0)] } ?? [],
            body: .bytes(Array(#"{"model":"simulated-model","messages":[]}"#.utf8)),
            limits: limits,
            maximumResponseBytes: maximumResponseBytes,
            group: group
        )
    }

    private func code(_ client: CurlClient, _ request: HTTPRequest) async -> (HTTPTransferError.Code, sent: Bool)? {
        do throws(HTTPTransferError) {
            _ = try await client.send(request)
            return nil
        } catch {
            return (error.code, error.mayHaveBeenSent)
        }
    }

    @Test func anAnswerComesWhole() async throws {
        try await self.withEngine { url, client in
            let response = try await client.send(self.request(url))
            #expect(response.status == 200)
            #expect(response.headers["Content-Type"] == "application/json")
            #expect(response.headers["content-length"] == String(response.body.count))
            #expect(String(decoding: response.body, as: UTF8.self).contains("chat.completion"))
        }
    }

    @Test(
        "T-11 T-12 T-13 each fault has its error",
        arguments: [
            ("reset_before", HTTPTransferError.Code.emptyReply), ("reset_body", .receive),
            ("hang", .timeout(.firstByte)), ("stall", .timeout(.betweenBytes)),
            ("huge;bytes=2000000", .responseTooLarge),
        ]
    )
    func eachFaultHasItsError(_ fault: String, _ expected: HTTPTransferError.Code) async throws {
        try await self.withEngine { url, client in
            let limits = TransferLimits(
                connect: .seconds(5),
                firstByte: .milliseconds(200),
                betweenBytes: .milliseconds(200),
                total: nil
            )
            let outcome = await self.code(client, self.request(url, fault: fault, limits: limits))
            #expect(outcome?.0 == expected)
            #expect(outcome?.sent == true)
        }
    }

    @Test("T-11 a request whose used connection ends before an answer is not sent again behind the caller's back")
    func nothingIsSentTwice() async throws {
        let directory = try TemporaryDirectory()
        let ledger = directory.path + "/witness"
        try await self.withEngine({ $0.witness = ledger }) { url, client in
            let rounds = 10
            for _ in 0..<rounds {
                // The connection is kept and used for the next request.
                _ = try await client.send(self.request(url))
                let outcome = await self.code(client, self.request(url, fault: "reset_before"))
                #expect(outcome?.sent == true)
            }
            var last = self.request(url)
            last.headers.append(HTTPHeader(name: "x-request-id", value: "the-last"))
            _ = try await client.send(last)
            // An entry may come a moment after its answer.
            var requests: [Substring] = []
            while !requests.contains(where: { $0.contains("the-last") }) {
                try await Task.sleep(for: .milliseconds(1))
                requests = try String(contentsOfFile: ledger, encoding: .utf8).split(separator: "\n")
            }
            #expect(requests.count == 2 * rounds + 1)
        }
    }

    @Test("answers beyond the memory for them wait their turn and come whole", arguments: [0, 1 << 20])
    func answersWaitForMemory(maximumGatheredBytes: Int) async throws {
        var configuration = CurlClient.Configuration()
        configuration.maximumGatheredBytes = maximumGatheredBytes
        let client = CurlClient(configuration)
        try await self.withEngine { url, _ in
            let sizes = await withTaskGroup(of: Int?.self) { group in
                for _ in 0..<24 {
                    let request = self.request(url, fault: "huge;bytes=900000")
                    group.addTask { try? await client.send(request).body.count }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(sizes.count == 24 && sizes.allSatisfy { ($0 ?? 0) >= 900_000 }, "\(sizes)")
        }
    }

    @Test func nobodyThereIsKnownNotToHaveRun() async throws {
        let client = CurlClient()
        let refused = await self.code(client, self.request("http://127.0.0.1:1"))
        #expect(refused?.0 == .connect)
        #expect(refused?.sent == false)
        let unknown = await self.code(client, self.request("http://nobody.invalid"))
        #expect(unknown?.0 == .resolve)
        #expect(unknown?.sent == false)
    }

    @Test func whatCannotBeSentIsRefused() async throws {
        let client = CurlClient()
        var request = self.request("http://127.0.0.1:1")
        request.headers = [HTTPHeader(name: "a", value: "b\r\nc: d")]
        #expect(await self.code(client, request)?.0 == .invalidRequest)
        #expect(await self.code(client, self.request("http://a b"))?.0 == .invalidRequest)
    }

    @Test func everyStartEndsExactlyOnceUnderCancellation() async throws {
        try await self.withEngine({ $0.timeToFirstToken = .milliseconds(20) }) { url, client in
            let ended = Mutex<[Int: Int]>([:])
            let (all, done) = AsyncStream<Void>.makeStream()
            let count = 300
            for number in 0..<count {
                let group = TransferGroup()
                client.start(self.request(url, group: group)) { _ in
                    let total = ended.withLock { ended in
                        ended[number, default: 0] += 1
                        return ended.count
                    }
                    if total == count { done.finish() }
                }
                if number % 3 == 0 { client.cancel(group) }
            }
            for await _ in all {}
            #expect(ended.withLock { $0.values.allSatisfy { $0 == 1 } })
        }
    }

    @Test func moreTransfersThanOneMultiHandleTakesAllEnd() async throws {
        try await self.withEngine { url, client in
            for _ in 0..<3 {
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<300 { group.addTask { try await client.send(self.request(url)).status } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(statuses == Array(repeating: 200, count: 300))
            }
        }
    }

    @Test func aCancelledTaskCancelsItsRequest() async throws {
        try await self.withEngine { url, client in
            await withTaskGroup(of: HTTPTransferError.Code?.self) { group in
                group.addTask { await self.code(client, self.request(url, fault: "hang"))?.0 }
                group.cancelAll()
                #expect(await group.next() == .some(.cancelled))
            }
        }
    }

    @Test func shutdownFailsWhatIsInFlight() async throws {
        try await self.withEngine { url, client in
            let (results, result) = AsyncStream<HTTPTransferError.Code?>.makeStream()
            client.start(self.request(url, fault: "hang")) { outcome in
                if case .failure(let error) = outcome { result.yield(error.code) } else { result.yield(nil) }
            }
            client.shutdown()
            var iterator = results.makeAsyncIterator()
            #expect(await iterator.next() == .some(.shutDown))
            #expect(await self.code(client, self.request(url))?.0 == .shutDown)
        }
    }

    @Test func bodiesAreStreamedBothWays() async throws {
        try await self.withEngine { url, client in
            let text = #"{"model":"simulated-model","pad":""# + String(repeating: "x", count: 3_000_000) + "\"}"
            let bytes = Array(text.utf8)
            let sent = Mutex(0)
            let received = Mutex([UInt8]())
            var request = self.request(url)
            request.body = .stream(length: Int64(bytes.count)) { buffer in
                sent.withLock { sent in
                    let count = min(buffer.count, bytes.count - sent)
                    buffer.copyBytes(from: bytes[sent..<(sent + count)])
                    sent += count
                    return count
                }
            }
            request.onBody = { piece in
                received.withLock { $0.append(contentsOf: piece) }
                return .taken
            }
            let response = try await client.send(request)
            #expect(response.status == 200 && response.body.isEmpty)
            request.body = .bytes(bytes)
            request.onBody = nil
            #expect(try await client.send(request).body == received.withLock { $0 })
        }
    }
}
