import CurlHTTP
import Foundation
import Synchronization
import TLSTestSupport
import Testing

/// The client over TLS, against a server of OpenSSL.
@Suite(.timeLimit(.minutes(1)))
struct SecureClientTests {
    private static let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

    private let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    private func identity(_ name: String = "scheduler") -> RawServer.Identity {
        RawServer.Identity(
            chain: self.certificates.path("\(name).pem"),
            key: self.certificates.path("\(name).key")
        )
    }

    private func client(trusting authorities: String = "ca.pem") -> CurlClient {
        var configuration = CurlClient.Configuration()
        configuration.certificateAuthorities = self.certificates.path(authorities)
        return CurlClient(configuration)
    }

    private func request(
        _ server: RawServer,
        _ method: HTTPRequest.Method = .get,
        body: HTTPRequestBody = .none,
        connect: Duration = .seconds(30)
    ) -> HTTPRequest {
        var limits = CurlClientTests.limits
        limits.connect = connect
        return HTTPRequest(
            method: method,
            url: server.url.replacing("http:", with: "https:"),
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

    // MARK: - Connecting

    @Test("a server is known by its address and by its name", arguments: ["127.0.0.1", "localhost"])
    func requestsAreAnsweredOverOneConnection(host: String) async throws {
        try await RawServer.run(identity: self.identity()) { peer in
            while peer.readRequest() != nil { peer.write(Self.answer) }
        } _: { server async throws in
            let client = self.client()
            var request = self.request(server)
            request.url.replace("127.0.0.1", with: host)
            for _ in 0..<20 { #expect(try await client.send(request).body == Array("ok".utf8)) }
            #expect(server.connections == 1)
        }
    }

    @Test(
        "nothing is sent to a server whose certificate is not trusted, is another's, or has run out",
        arguments: [
            ("scheduler", "other/ca.pem"), ("scheduler", "missing.pem"), ("elsewhere", "ca.pem"), ("expired", "ca.pem"),
        ]
    )
    func badCertificates(_ name: String, _ authorities: String) async throws {
        let hasHeard = Mutex(false)
        try await RawServer.run(identity: self.identity(name)) { peer in
            if !peer.readSome().isEmpty { hasHeard.withLock { $0 = true } }
        } _: { server async throws in
            let error = await self.failure(of: self.request(server), by: self.client(trusting: authorities))
            #expect(error?.code == .tls)
            #expect(error?.mayHaveBeenSent == false)
        }
        #expect(!hasHeard.withLock { $0 })
    }

    @Test func furtherConnectionsResumeTheSession() async throws {
        let areResumed = Mutex([Bool]())
        try await RawServer.run(identity: self.identity()) { peer in
            guard peer.readRequest() != nil else { return }
            areResumed.withLock { $0.append(peer.isResumed) }
            peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        } _: { server async throws in
            let client = self.client()
            for _ in 0..<3 { #expect(try await client.send(self.request(server)).status == 200) }
            #expect(server.connections == 3)
            #expect(areResumed.withLock { $0 } == [false, true, true])
        }
    }

    @Test func aServerThatClosesInTheHandshakeIsAnErrorOfTLS() async throws {
        try await RawServer.run { peer in
            _ = peer.readSome()
            if peer.number == 1 { peer.write("HTTP/1.1 400 Bad request\r\n\r\n") }
            if peer.number == 2 { peer.reset() }
        } _: { server async throws in
            let client = self.client()
            for _ in 0..<3 {
                let error = await self.failure(of: self.request(server), by: client)
                #expect(error?.code == .tls)
                #expect(error?.mayHaveBeenSent == false)
            }
        }
    }

    @Test func aHandshakeThatDoesNotEndIsATimeoutOfConnecting() async throws {
        try await RawServer.run {
            $0.readToEnd()
        } _: { server async throws in
            let request = self.request(server, connect: .milliseconds(100))
            let error = await self.failure(of: request, by: self.client())
            #expect(error?.code == .timeout(.connect))
            #expect(error?.mayHaveBeenSent == false)
            #expect(await server.ended.first { _ in true } == 0)
        }
    }

    // MARK: - Bodies

    /// Bytes that differ wherever a record could end.
    private static func pattern(_ count: Int) -> [UInt8] {
        let part = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 8) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + part.count)
        while bytes.count < count { bytes += part }
        return Array(bytes[..<count])
    }

    /// What a test's callbacks have done, and whether they may go on.
    private struct Progress {
        var bytes: [UInt8] = []
        var sent = 0
        var pieces = 0
        var mayGoOn = false
    }

    @Test func largeBodiesComeWholeHoweverOftenTheyArePaused() async throws {
        let (up, down) = (Self.pattern(3_000_000), Self.pattern(8_000_000))
        try await RawServer.run(identity: self.identity()) { peer in
            while let request = peer.readRequest() {
                peer.write("HTTP/1.1 \(request.body == up ? 200 : 400) X\r\ncontent-length: \(down.count)\r\n\r\n")
                peer.write(down)
            }
        } _: { server async throws in
            let client = self.client()
            let pauses = AsyncStream<Void>.makeStream()
            let progress = Mutex(Progress())
            var request = self.request(server, .post)
            // Every seventh piece has to be asked for again.
            request.body = .stream(length: Int64(up.count)) { buffer in
                let count = progress.withLock { progress -> Int? in
                    progress.pieces += 1
                    guard progress.mayGoOn || progress.pieces % 7 != 0 else { return nil }
                    progress.mayGoOn = false
                    let count = min(buffer.count, up.count - progress.sent)
                    buffer.copyBytes(from: up[progress.sent..<(progress.sent + count)])
                    progress.sent += count
                    return count
                }
                if count == nil { pauses.continuation.yield() }
                return count
            }
            request.onBody = { piece in
                let isTaken = progress.withLock { progress in
                    progress.pieces += 1
                    guard progress.mayGoOn || progress.pieces % 7 != 0 else { return false }
                    progress.mayGoOn = false
                    progress.bytes.append(contentsOf: piece)
                    return true
                }
                if !isTaken { pauses.continuation.yield() }
                return isTaken ? .taken : .pause
            }
            let statuses = AsyncStream<Int?>.makeStream()
            client.start(request) {
                statuses.continuation.yield(try? $0.get().status)
                pauses.continuation.finish()
            }
            var count = 0
            for await _ in pauses.stream {
                count += 1
                progress.withLock { $0.mayGoOn = true }
                request.control?.resume()
            }
            #expect(await statuses.stream.first { _ in true } == .some(200))
            #expect(progress.withLock { $0.bytes == down })
            #expect(count > 20)
            // Without a pause, on the same connection.
            let response = try await client.send(self.request(server, .post, body: .bytes(up)))
            #expect(response.status == 200)
            #expect(response.body == down)
            #expect(server.connections == 1)
        }
    }

    @Test("a body until the end of the connection is whole only when TLS says that this is its end")
    func untilTheEnd() async throws {
        let body = Self.pattern(100_000)
        try await RawServer.run(identity: self.identity()) { peer in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\n\r\n")
            peer.write(body)
            if peer.number == 1 { peer.hangUp() }
            if peer.number == 2 { peer.reset() }
        } _: { server async throws in
            let client = self.client()
            #expect(try await client.send(self.request(server)).body == body)
            for _ in 0..<2 {
                let error = await self.failure(of: self.request(server), by: client)
                #expect(error?.code == .receive)
                #expect(error?.mayHaveBeenSent == true)
            }
        }
    }

    @Test(
        "an answer that ends too early is an error, whether TLS says that this is its end or not",
        arguments: [
            ("", HTTPTransferError.Code.emptyReply), ("HTTP/1.1 200", .receive),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", .receive),
        ],
        [false, true]
    )
    func endsTooEarly(_ part: (answer: String, code: HTTPTransferError.Code), isSaid: Bool) async throws {
        try await RawServer.run(identity: self.identity()) { peer in
            _ = peer.readRequest()
            if !part.answer.isEmpty { peer.write(part.answer) }
            if !isSaid { peer.hangUp() }
        } _: { server async throws in
            let error = await self.failure(of: self.request(server), by: self.client())
            #expect(error?.code == part.code)
            #expect(error?.mayHaveBeenSent == true)
        }
    }

    @Test func aRefusalArrivesAlthoughTheServerHasClosedWithTheBodyHalfSent() async throws {
        let body = Self.pattern(8_000_000)
        try await RawServer.run(identity: self.identity()) { peer in
            _ = peer.readHead()
            peer.write("HTTP/1.1 413 Too large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
        } _: { server async throws in
            let client = self.client()
            for _ in 0..<5 {
                let response = try await client.send(self.request(server, .post, body: .bytes(body)))
                #expect(response.status == 413)
                #expect(response.body == Array("no".utf8))
            }
        }
    }

    @Test func aServerThatClosesWithTheBodyHalfSentMayHaveHadTheRequest() async throws {
        let body = Self.pattern(8_000_000)
        try await RawServer.run(identity: self.identity()) { peer in
            _ = peer.readHead()
            if peer.number % 2 == 1 { peer.reset() }
        } _: { server async throws in
            let client = self.client()
            for _ in 0..<6 {
                let error = await self.failure(of: self.request(server, .post, body: .bytes(body)), by: client)
                #expect(error?.code == .send || error?.code == .emptyReply)
                #expect(error?.mayHaveBeenSent == true)
            }
        }
    }

    // MARK: - Idle connections

    @Test func sessionTicketsThatComeToAnIdleConnectionDoNotEndIt() async throws {
        let (isIdle, hasCome) = (DispatchSemaphore(value: 0), AsyncStream<Void>.makeStream())
        try await RawServer.run(identity: self.identity()) { peer in
            while peer.readRequest() != nil {
                peer.write(Self.answer)
                isIdle.wait()
                peer.writeSessionTicket()
                hasCome.continuation.yield()
            }
        } _: { server async throws in
            let client = self.client()
            for _ in 0..<3 {
                #expect(try await client.send(self.request(server)).body == Array("ok".utf8))
                isIdle.signal()
                _ = await hasCome.stream.first { _ in true }
            }
            #expect(server.connections == 1)
        }
    }

    @Test(
        "a kept connection that the server has closed is not used, whether TLS says so or not",
        arguments: [false, true]
    )
    func closedWhileIdle(isSaid: Bool) async throws {
        try await RawServer.run(identity: self.identity()) { peer in
            if peer.readRequest() != nil { peer.write(Self.answer) }
            if !isSaid { peer.hangUp() }
        } _: { server async throws in
            let client = self.client()
            for number in 0..<5 {
                #expect(try await client.send(self.request(server)).status == 200)
                #expect(await server.ended.first { _ in true } == number)
            }
            #expect(server.connections == 5)
        }
    }
}
