import CurlHTTP
import Foundation
import Synchronization
import Testing

/// Connections that are not made, those that libcurl looks after, and what is left of them all.
@Suite(.timeLimit(.minutes(1)))
struct ConnectingTests {
    private static let closingAnswer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"

    private static func request(_ url: String, connect: Duration = .seconds(30)) -> HTTPRequest {
        var limits = CurlClientTests.limits
        limits.connect = connect
        return HTTPRequest(
            method: .get,
            url: url,
            limits: limits,
            maximumResponseBytes: 16 << 20,
            control: TransferControl()
        )
    }

    /// The outcome of a request that is started now.
    private func start(_ request: HTTPRequest, by client: CurlClient) -> AsyncStream<HTTPTransferError?> {
        let (results, result) = AsyncStream<HTTPTransferError?>.makeStream()
        client.start(request) { outcome in
            if case .failure(let error) = outcome { result.yield(error) } else { result.yield(nil) }
        }
        return results
    }

    // MARK: - A server that accepts nobody

    /// Runs `body` with the URL of a listener that has no room for another connection, so that none is answered.
    private func withFullListener(_ body: (_ url: String) async throws -> Void) async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        let port = try RawServer.bindToLoopback(listener, backlog: 0)
        let waiting = try Self.fill(port)
        defer { for descriptor in waiting { close(descriptor) } }
        try await body("http://127.0.0.1:\(port)/")
    }

    /// Connects until a connection is not made at once: on the loopback all others are.
    private static func fill(_ port: UInt16) throws -> [Int32] {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var waiting: [Int32] = []
        for _ in 0..<64 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            waiting.append(descriptor)
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(descriptor, $0, length) }
            }
            var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&state, 1, 100) > 0 else { return waiting }
        }
        throw RawServer.Failed()
    }

    @Test func aConnectionThatNobodyAnswersIsATimeoutOfConnecting() async throws {
        try await self.withFullListener { url in
            let client = CurlClient()
            let request = Self.request(url, connect: .milliseconds(100))
            let error = await self.start(request, by: client).first { _ in true } ?? nil
            #expect(error?.code == .timeout(.connect))
            #expect(error?.mayHaveBeenSent == false)
        }
    }

    @Test func aRequestIsCancelledWhileItsConnectionIsMade() async throws {
        try await RawServer.run { peer in
            while peer.readRequest() != nil { peer.write(Self.closingAnswer) }
        } _: { server async throws in
            try await self.withFullListener { url in
                let client = CurlClient()
                let request = Self.request(url)
                let results = self.start(request, by: client)
                // Once this one is answered the first has begun.
                #expect(await self.start(Self.request(server.url), by: client).first { _ in true } == .some(nil))
                request.control?.cancel()
                let error = await results.first { _ in true } ?? nil
                #expect(error?.code == .cancelled)
                #expect(error?.mayHaveBeenSent == false)
            }
        }
    }

    // MARK: - What libcurl looks after

    @Test(
        "a paused answer whose end waits to be read is not lost when libcurl looks for dead connections",
        arguments: [10, 1_000_000]
    )
    func pausedAnswers(bytes: Int) async throws {
        try await RawServer.run { peer in
            guard peer.readRequest() != nil else { return }
            guard peer.number == 0 else { return peer.write(Self.closingAnswer) }
            peer.write("HTTP/1.1 200 OK\r\n\r\n")
            peer.write(Array(repeating: UInt8(ascii: "z"), count: bytes))
        } _: { server async throws in
            let client = CurlClient()
            let pauses = AsyncStream<Void>.makeStream()
            let isPaused = Atomic<Bool>(true)
            let received = Atomic<Int>(0)
            var request = Self.request(server.url)
            request.onBody = { piece in
                guard !isPaused.load(ordering: .relaxed) else {
                    pauses.continuation.yield()
                    return .pause
                }
                received.add(piece.count, ordering: .relaxed)
                return .taken
            }
            let results = self.start(request, by: client)
            _ = await pauses.stream.first { _ in true }
            // libcurl looks at most once a second, by a clock of its own, and only when it makes another connection.
            try await Task.sleep(for: .milliseconds(1_100))
            for _ in 0..<5 {
                #expect(await self.start(Self.request(server.url), by: client).first { _ in true } == .some(nil))
            }
            isPaused.store(false, ordering: .relaxed)
            request.control?.resume()
            #expect(await results.first { _ in true } == .some(nil))
            #expect(received.load(ordering: .relaxed) == bytes)
            #expect(server.connections == 6)
        }
    }

    // MARK: - What is left

    /// How many files the process has open, this look at them included.
    private static func openFiles() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }

    @Test func closedConnectionsLeaveNoDescriptors() async throws {
        // In a process of its own, since other suites open files too.
        await #expect(processExitsWith: .success) {
            try await RawServer.run { peer in
                if peer.readRequest() != nil { peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") }
            } _: { server async throws in
                let client = CurlClient()
                /// Requests whose connections the server has closed, and connections that are refused.
                func use(_ served: Int, _ refused: Int) async throws {
                    for _ in 0..<served {
                        #expect(try await client.send(Self.request(server.url)).status == 200)
                        _ = await server.ended.first { _ in true }
                    }
                    for _ in 0..<refused {
                        await #expect(throws: HTTPTransferError.self) {
                            try await client.send(Self.request("http://127.0.0.1:1/"))
                        }
                    }
                }
                // What the client and libcurl keep is opened first.
                try await use(1, 1)
                let before = try Self.openFiles()
                try await use(500, 100)
                #expect(server.connections == 501)
                // The last one may be kept until the next request.
                #expect(try Self.openFiles() <= before + 1)
            }
        }
    }
}
