import CurlHTTP
import Foundation
import Synchronization
import Testing

/// When a connection is kept for the next request and when it is not, and what becomes of requests whose connection ends.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionReuseTests {
    private static let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

    private static func request(
        _ server: RawServer,
        _ method: HTTPRequest.Method = .get,
        body: HTTPRequestBody = .none,
        limits: TransferLimits = CurlClientTests.limits
    ) -> HTTPRequest {
        HTTPRequest(
            method: method,
            url: server.url,
            body: body,
            limits: limits,
            maximumResponseBytes: 16 << 20,
            control: TransferControl()
        )
    }

    private func failure(of request: HTTPRequest, by client: CurlClient) async -> HTTPTransferError? {
        do throws(HTTPTransferError) {
            let response = try await client.send(request)
            Issue.record("an answer came: \(response.status)")
            return nil
        } catch {
            return error
        }
    }

    // MARK: - Kept

    @Test func oneConnectionServesRequestsOneAfterTheOther() async throws {
        let seen = Mutex<[String]>([])
        try await RawServer.run { peer in
            while let request = peer.readRequest() {
                seen.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) }
                peer.write(Self.answer)
            }
        } _: { server async throws in
            let client = CurlClient()
            for number in 0..<100 {
                let body = HTTPRequestBody.bytes(Array("request \(number)".utf8))
                #expect(try await client.send(Self.request(server, .post, body: body)).body == Array("ok".utf8))
            }
            #expect(server.connections == 1)
        }
        #expect(seen.withLock { $0 } == (0..<100).map { "request \($0)" })
    }

    @Test("answers without a body, and one that comes in single bytes, leave their connection for the next request")
    func bodilessAndSlowAnswers() async throws {
        let slow =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "4;x=y\r\nslow\r\n1\r\n!\r\n0\r\nx-trailer: z\r\n\r\n"
        try await RawServer.run { peer in
            while let request = peer.readRequest() {
                switch request.head.prefix(4) {
                case "HEAD": peer.write("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")
                case "DELE": peer.write("HTTP/1.1 204 No Content\r\n\r\n")
                case "PUT ": peer.write("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n")
                default: for byte in slow.utf8 { peer.write([byte]) }
                }
            }
        } _: { server async throws in
            let client = CurlClient()
            for (method, status, body) in [
                (HTTPRequest.Method.head, 200, ""), (.delete, 204, ""), (.put, 304, ""), (.get, 200, "slow!"),
                (.head, 200, ""), (.get, 200, "slow!"),
            ] {
                let response = try await client.send(Self.request(server, method))
                #expect(response.status == status)
                #expect(response.body == Array(body.utf8))
            }
            #expect(server.connections == 1)
        }
    }

    // MARK: - Not kept

    @Test(
        "a connection is not used again when its answer says so, or when more came than the answer",
        arguments: [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\nok", 3),
            ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 3),
            ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\nConnection: keep-alive\r\n\r\nok", 1),
            (Self.answer + "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", 3),
            (Self.answer + "\n", 3),
        ]
    )
    func notKept(_ answer: String, _ connections: Int) async throws {
        try await RawServer.run { peer in
            // The server keeps it.
            while peer.readRequest() != nil { peer.write(answer) }
        } _: { server async throws in
            let client = CurlClient()
            for _ in 0..<3 { #expect(try await client.send(Self.request(server)).body == Array("ok".utf8)) }
            #expect(server.connections == connections)
        }
    }

    @Test func aConnectionOnWhichARequestWasNotSentWholeIsClosed() async throws {
        try await RawServer.run { peer in
            guard peer.readHead()?.hasPrefix("GET") == false else { return peer.write(Self.answer) }
            peer.write("HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno")
            peer.readToEnd()
        } _: { server async throws in
            let client = CurlClient()
            let isAsked = Mutex(false)
            let body = HTTPRequestBody.stream(length: 10) { buffer in
                let isFirst = isAsked.withLock { isAsked in
                    defer { isAsked = true }
                    return !isAsked
                }
                guard isFirst else { return nil }
                buffer.copyBytes(from: "begin".utf8)
                return 5
            }
            #expect(try await client.send(Self.request(server, .post, body: body)).status == 403)
            #expect(await server.ended.first { _ in true } == 0)
            #expect(try await client.send(Self.request(server)).status == 200)
            #expect(server.connections == 2)
        }
    }

    @Test func aConnectionWhoseAnswerCameBeforeAllOfTheRequestWasSentIsNotUsedAgain() async throws {
        try await RawServer.run { peer in
            // It takes the rest of a body for the start of the next request.
            while peer.readHead() != nil { peer.write(Self.answer) }
        } _: { server async throws in
            let client = CurlClient()
            let mayGoOn = Atomic<Bool>(false)
            let turns = AsyncStream<Void>.makeStream()
            var request = Self.request(server, .post)
            request.body = .stream(length: 4) { buffer in
                guard mayGoOn.load(ordering: .relaxed) else { return nil }
                buffer.copyBytes(from: "late".utf8)
                return 4
            }
            request.onBody = { _ in
                turns.continuation.yield()
                return .taken
            }
            let early = request
            async let response = client.send(early)
            _ = await turns.stream.first { _ in true }
            mayGoOn.store(true, ordering: .relaxed)
            early.control?.resume()
            #expect(try await response.status == 200)
            #expect(try await client.send(Self.request(server)).status == 200)
            #expect(server.connections == 2)
        }
    }

    @Test func aKeptConnectionThatTheServerHasClosedIsNotUsed() async throws {
        try await RawServer.run { peer in
            if peer.readRequest() != nil { peer.write(Self.answer) }
            if peer.number % 2 == 1 { peer.reset() }
        } _: { server async throws in
            let client = CurlClient()
            for number in 0..<20 {
                #expect(try await client.send(Self.request(server)).status == 200)
                #expect(await server.ended.first { _ in true } == number)
            }
            #expect(server.connections == 20)
        }
    }

    @Test func aKeptConnectionOnWhichTheServerSaidSomethingUnaskedIsNotUsed() async throws {
        let (isIdle, hasSpoken) = (DispatchSemaphore(value: 0), AsyncStream<Void>.makeStream())
        try await RawServer.run { peer in
            guard peer.readRequest() != nil else { return }
            peer.write(Self.answer)
            guard peer.number == 0 else { return }
            isIdle.wait()
            peer.write("HTTP/1.1 408 Too late\r\ncontent-length: 0\r\n\r\n")
            hasSpoken.continuation.yield()
            peer.readToEnd()
        } _: { server async throws in
            let client = CurlClient()
            #expect(try await client.send(Self.request(server)).status == 200)
            isIdle.signal()
            _ = await hasSpoken.stream.first { _ in true }
            #expect(try await client.send(Self.request(server)).status == 200)
            #expect(server.connections == 2)
        }
    }

    /// How a request is given up.
    enum GivenUp: CaseIterable { case cancelled, timedOut, paused }

    @Test("a request that is given up does not leave its connection to the next one", arguments: GivenUp.allCases)
    func givenUp(_ way: GivenUp) async throws {
        let hasRequest = AsyncStream<Void>.makeStream()
        try await RawServer.run { peer in
            guard peer.readRequest() != nil else { return }
            guard peer.number == 0 else { return peer.write(Self.answer) }
            if way == .paused { peer.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nthe first") }
            hasRequest.continuation.yield()
            peer.readToEnd()
        } _: { server async throws in
            let client = CurlClient()
            var limits = CurlClientTests.limits
            if way == .timedOut { limits.firstByte = .milliseconds(50) }
            if way == .paused { limits.betweenBytes = .milliseconds(50) }
            var request = Self.request(server, limits: limits)
            if way == .paused { request.onBody = { _ in .pause } }
            let (results, result) = AsyncStream<HTTPTransferError?>.makeStream()
            client.start(request) { outcome in
                if case .failure(let error) = outcome { result.yield(error) } else { result.yield(nil) }
            }
            _ = await hasRequest.stream.first { _ in true }
            if way == .cancelled { request.control?.cancel() }
            let error = await results.first { _ in true } ?? nil
            let expected: HTTPTransferError.Code =
                switch way {
                case .cancelled: .cancelled
                case .timedOut: .timeout(.firstByte)
                case .paused: .timeout(.paused)
                }
            #expect(error?.code == expected)
            #expect(error?.mayHaveBeenSent == true)
            // The client has closed it.
            #expect(await server.ended.first { _ in true } == 0)
            #expect(try await client.send(Self.request(server)).body == Array("ok".utf8))
            #expect(server.connections == 2)
        }
    }

    // MARK: - Broken

    @Test(
        "an answer that ends too early is an error that tells how far it came",
        arguments: [
            ("", HTTPTransferError.Code.emptyReply), ("H", .receive),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", .receive),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", .receive),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nok!\r\n", .receive),
            ("HTTP/1.1 100 Continue\r\n\r\n", .receive),
        ],
        [false, true]
    )
    func endsTooEarly(_ part: (answer: String, code: HTTPTransferError.Code), isReset: Bool) async throws {
        try await RawServer.run { peer in
            _ = peer.readRequest()
            peer.write(part.answer)
            if isReset { peer.reset() }
        } _: { server async throws in
            let error = await self.failure(of: Self.request(server), by: CurlClient())
            #expect(error?.code == part.code)
            #expect(error?.mayHaveBeenSent == true)
        }
    }

    @Test func aBodyUntilTheEndOfTheConnectionComesWholeUnlessTheConnectionBreaks() async throws {
        let body = Array(repeating: UInt8(ascii: "x"), count: 3_000_000)
        try await RawServer.run { peer in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\n\r\n")
            peer.write(body)
            if peer.number == 2 { peer.reset() }
        } _: { server async throws in
            let client = CurlClient()
            for _ in 0..<2 { #expect(try await client.send(Self.request(server)).body == body) }
            let error = await self.failure(of: Self.request(server), by: client)
            #expect(error?.code == .receive)
        }
    }

    /// A body that does not fit into the buffers of a socket.
    private static let large = Array(repeating: UInt8(ascii: "y"), count: 16 << 20)

    private static func largeBody(isStreamed: Bool) -> HTTPRequestBody {
        guard isStreamed else { return .bytes(Self.large) }
        return .stream(length: Int64(Self.large.count)) { buffer in
            buffer.copyBytes(from: Self.large[..<buffer.count])
            return buffer.count
        }
    }

    @Test("a refusal arrives although the server has closed with the body half sent", arguments: [false, true])
    func refusalsArrive(isStreamed: Bool) async throws {
        try await RawServer.run { peer in
            _ = peer.readHead()
            peer.write("HTTP/1.1 413 Too large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
        } _: { server async throws in
            let client = CurlClient()
            for _ in 0..<10 {
                let request = Self.request(server, .post, body: Self.largeBody(isStreamed: isStreamed))
                let response = try await client.send(request)
                #expect(response.status == 413)
                #expect(response.body == Array("no".utf8))
            }
        }
    }

    @Test("a server that closes with the body half sent may have had the request", arguments: [false, true])
    func closedWhileSending(isStreamed: Bool) async throws {
        try await RawServer.run { peer in
            _ = peer.readHead()
            if peer.number % 2 == 1 { peer.reset() }
        } _: { server async throws in
            let client = CurlClient()
            for _ in 0..<10 {
                let request = Self.request(server, .post, body: Self.largeBody(isStreamed: isStreamed))
                let error = await self.failure(of: request, by: client)
                #expect(error?.code == .send || error?.code == .emptyReply)
                #expect(error?.mayHaveBeenSent == true)
            }
        }
    }
}
