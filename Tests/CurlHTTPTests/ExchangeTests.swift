import Foundation
import Glibc
import Synchronization
import Testing

@testable import CurlHTTP

/// What happens on a connection between a request and its answer, with a server whose every step the test chooses.
@Suite(.timeLimit(.minutes(1)))
struct ExchangeTests {
    /// Tells the test what a callback or a server saw.
    private struct Events: Sendable {
        let stream: AsyncStream<String>
        private let sink: AsyncStream<String>.Continuation

        init() { (self.stream, self.sink) = AsyncStream.makeStream() }

        func tell(_ event: String) { self.sink.yield(event) }
        func next() async -> String? { await self.stream.first { _ in true } }
    }

    private func request(
        _ url: String,
        firstByte: Duration = .seconds(30),
        betweenBytes: Duration = .seconds(30)
    ) -> HTTPRequest {
        HTTPRequest(
            method: .post,
            url: url,
            limits: TransferLimits(
                connect: .seconds(5),
                firstByte: firstByte,
                betweenBytes: betweenBytes,
                total: nil
            ),
            maximumResponseBytes: 1 << 20,
            control: TransferControl()
        )
    }

    @Test("a pause of the request's body is no byte of the answer: the limit of the first byte still holds")
    func aPausedBodyIsNoAnswer() async throws {
        try await ScriptedPeer.run {
            $0.readToEnd()
        } _: { url in
            var request = self.request(url, firstByte: .milliseconds(300), betweenBytes: .milliseconds(100))
            let isAskedAgain = Atomic<Bool>(false)
            let control = request.control
            request.body = .stream(length: 2) { buffer in
                guard isAskedAgain.exchange(true, ordering: .relaxed) else {
                    control?.resume()
                    return nil
                }
                buffer.copyBytes(from: "{}".utf8)
                return 2
            }
            let streamed = request
            let error = await #expect(throws: HTTPTransferError.self) { try await CurlClient().send(streamed) }
            #expect(error?.code == .timeout(.firstByte))
        }
    }

    @Test("a kept connection is closed when its server closes it, also after an answer that was paused at its end")
    func anIdleConnectionIsWatched() async throws {
        let events = Events()
        let isAnswered = DispatchSemaphore(value: 0)
        try await ScriptedPeer.run { peer in
            peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            isAnswered.wait()
            peer.endWriting()
            peer.readToEnd()
            events.tell("closed")
        } _: { url in
            let client = CurlClient()
            var request = self.request(url)
            let control = request.control
            let isOfferedAgain = Atomic<Bool>(false)
            request.onBody = { _ in
                if isOfferedAgain.exchange(true, ordering: .relaxed) { return .taken }
                control?.resume()
                return .pause
            }
            let status = try await client.send(request).status
            #expect(status == 200)
            isAnswered.signal()
            #expect(await events.next() == "closed")
            client.shutdown()
        }
    }

    @Test("a connection whose first request could not be written is kept, and is closed when its server closes it")
    func aConnectionWithoutARequestIsWatched() async throws {
        let events = Events()
        let isRefused = DispatchSemaphore(value: 0)
        try await ScriptedPeer.run { peer in
            isRefused.wait()
            peer.endWriting()
            peer.readToEnd()
            events.tell("closed")
        } _: { url in
            let client = CurlClient()
            var request = self.request(url)
            request.body = .copied(length: 1) { _ in nil }
            let refused = request
            await #expect(throws: HTTPTransferError.self) { try await client.send(refused) }
            isRefused.signal()
            #expect(await events.next() == "closed")
            client.shutdown()
        }
    }

    @Test("the thread rests while an answer is paused, also when the server has broken the connection off")
    func aBrokenConnectionDoesNotSpin() async throws {
        let events = Events()
        let isPaused = DispatchSemaphore(value: 0)
        try await ScriptedPeer.run { peer in
            peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            isPaused.wait()
            peer.reset()
            events.tell("reset")
        } _: { url in
            var request = self.request(url, betweenBytes: .seconds(2))
            // More than sockets hold.
            request.body = .stream(length: 1 << 30) { $0.count }
            let usedBefore = Atomic<Int>(0)
            request.onBody = { _ in
                usedBefore.store(Self.threadMilliseconds(), ordering: .relaxed)
                isPaused.signal()
                return .pause
            }
            let usedAfter = Atomic<Int>(0)
            let (results, result) = AsyncStream<HTTPTransferError.Code?>.makeStream()
            let client = CurlClient()
            client.start(request) { outcome in
                usedAfter.store(Self.threadMilliseconds(), ordering: .relaxed)
                if case .failure(let error) = outcome { result.yield(error.code) } else { result.yield(nil) }
            }
            #expect(await events.next() == "reset")
            #expect(await results.first { _ in true } == .some(.timeout(.paused)))
            let used = usedAfter.load(ordering: .relaxed) - usedBefore.load(ordering: .relaxed)
            #expect(used < 200, "\(used) ms of CPU")
            client.shutdown()
        }
    }

    /// CPU time of the thread that calls.
    private static func threadMilliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }

    @Test("the end of its turn is told to a request that was begun while that of another one was told")
    func turnsOfRequestsBegunInOnTurn() async throws {
        let events = Events()
        let answer: @Sendable (ScriptedPeer) -> Void = { peer in
            while peer.readRequest(bodyBytes: 2) { peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") }
        }
        try await ScriptedPeer.run(answer) { first in
            try await ScriptedPeer.run(answer) { second in
                let client = CurlClient()
                var inner = self.request(second)
                inner.body = .stream(length: 2) { buffer in
                    buffer.copyBytes(from: "{}".utf8)
                    return 2
                }
                // Its connection is there then, and the body is asked for at once.
                _ = try await client.send(inner)
                inner.onTurn = { events.tell("turn") }
                let isBegun = Atomic<Bool>(false)
                var outer = self.request(first)
                outer.body = inner.body
                let begun = inner
                outer.onTurn = {
                    guard !isBegun.exchange(true, ordering: .relaxed) else { return }
                    client.start(begun) { _ in events.tell("end") }
                }
                _ = try await client.send(outer)
                #expect(await events.next() == "turn")
                client.shutdown()
            }
        }
    }

    @Test("a piece of an answer stays as it is while its receiver begins a request whose connection breaks")
    func aPieceOutlivesANestedRequest() async throws {
        let isBroken = DispatchSemaphore(value: 0)
        try await ScriptedPeer.run { peer in
            // The first request warms the connection up.
            peer.readRequest(bodyBytes: 2)
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            peer.readRequest()
            peer.write("HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\nno")
            peer.reset()
            isBroken.signal()
        } _: { broken in
            let piece = String(repeating: "a", count: 100)
            try await ScriptedPeer.run { peer in
                peer.readRequest()
                peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n\(piece)")
                peer.readToEnd()
            } _: { url in
                let client = CurlClient()
                let pieces = Atomic<Int>(0)
                var inner = self.request(broken)
                inner.body = .stream(length: 2) { buffer in
                    // Not before the connection has broken, which the head of the request brought about.
                    if pieces.add(1, ordering: .relaxed).newValue > 1 { isBroken.wait() }
                    buffer.copyBytes(from: "{}".utf8)
                    return 2
                }
                _ = try await client.send(inner)
                let begun = inner
                let seen = Mutex("")
                var outer = self.request(url)
                let (results, result) = AsyncStream<Bool>.makeStream()
                outer.onBody = { bytes in
                    client.start(begun) { outcome in result.yield((try? outcome.get()) == nil) }
                    seen.withLock { $0 = String(decoding: bytes, as: UTF8.self) }
                    return .taken
                }
                _ = try await client.send(outer)
                #expect(seen.withLock { $0 } == piece)
                _ = await results.first { _ in true }
                client.shutdown()
            }
        }
    }

    /// Each look may ask for another one, for what it sends and for what it receives: they must not add up.
    @Test func aConnectionIsLookedAtOnceATurn() throws {
        let loop = CurlLoop(CurlClient.Configuration())
        let link = try #require(CurlLink(to: "http://engine", within: 1_000, loop: loop))
        let connection = HTTPConnection(id: 0, origin: Origin("http://engine"), link: link, loop: loop)
        for _ in 0..<3 { loop.lookAgain(at: connection) }
        #expect(loop.again.count == 1)
    }

    @Test func aClientThatWasShutDownIsGone() async throws {
        try await ScriptedPeer.run { peer in
            peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{")
            peer.readToEnd()
        } _: { url in
            let remembered = WeakLoop()
            do {
                let loop = CurlLoop(CurlClient.Configuration())
                remembered.loop = loop
                loop.start()
                let (heads, head) = AsyncStream<Void>.makeStream()
                let group = TransferGroup()
                group.cancel()
                var probe = self.request(url)
                probe.group = group
                var request = self.request(url)
                request.onTurn = {}
                request.onHead = { [probe, remembered] _, _ in
                    guard let loop = remembered.loop else { return }
                    head.yield()
                    // The loop ends with this turn.
                    let isShutDown = Atomic<Bool>(false)
                    while !isShutDown.load(ordering: .relaxed) {
                        loop.submit(
                            Transfer(probe, loop: loop) { outcome in
                                guard case .failure(.shutDown) = outcome else { return }
                                isShutDown.store(true, ordering: .relaxed)
                            }
                        )
                    }
                }
                let transfer = Transfer(request, loop: loop) { _ in }
                loop.submit(transfer)
                for await _ in heads { break }
                await withCheckedContinuation { continuation in
                    Thread.detachNewThread { [loop] in
                        loop.shutdown()
                        continuation.resume()
                    }
                }
                // Who paused it may still have it.
                loop.resume(transfer)
                loop.cancel(transfer)
            }
            while remembered.loop != nil { await Task.yield() }
        }
    }

    private final class WeakLoop: @unchecked Sendable {
        // Guard: written before others see it; weak references may be read by any thread.
        weak var loop: CurlLoop?
    }

    @Test("the thread is not told of broken connections by a signal, which would end a program that does not ignore it")
    func noSignal() async throws {
        try await ScriptedPeer.run { peer in
            peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        } _: { url in
            let isBlocked = Atomic<Bool>(false)
            var request = self.request(url)
            request.onHead = { _, _ in
                var signals = sigset_t()
                pthread_sigmask(SIG_BLOCK, nil, &signals)
                isBlocked.store(sigismember(&signals, SIGPIPE) == 1, ordering: .relaxed)
            }
            _ = try await CurlClient().send(request)
            let wasBlocked = isBlocked.load(ordering: .relaxed)
            #expect(wasBlocked)
        }
    }
}
