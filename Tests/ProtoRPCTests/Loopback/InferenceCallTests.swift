import NIOCore
import NIOPosix
import ProtoFraming
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

/// Requests to engines without tasks, against servers of ours and scripted ones.
@Suite(.timeLimit(.minutes(1))) struct InferenceCallTests {
    private static let head = InferHead(requestClass: .online, model: "m", path: "/v1/embeddings")

    /// All that comes of a call, told by its callback alone.
    private static func answer(
        _ client: RPCClient,
        body: ByteBuffer = ByteBuffer(string: "{}"),
        options: CallOptions = CallOptions(),
        on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any()
    ) async -> [InferenceArrival] {
        let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
        let call = client.infer(Self.head, body: body, options: options, on: eventLoop) { arrival.yield() }
        var taken: [InferenceArrival] = []
        while true {
            while let next = call.take() {
                taken.append(next)
                switch next {
                case .end, .failed: return taken
                case .head, .piece: continue
                }
            }
            for await _ in arrivals { break }
        }
    }

    /// Tells how many bytes came, once all have.
    private static func countRouter(_ name: String = "") -> RPCRouter {
        var router = RPCRouter()
        router.register(InferenceService.infer) { messages, writer, _ in
            var (count, announced): (UInt64, UInt64) = (0, .max)
            for try await message in messages {
                switch message.part {
                case .head(let head): announced = head.contentBytes
                case .chunk(let chunk):
                    let bytes = UInt64(chunk.data.readableBytes)
                    count += bytes
                    try await writer.send(.init(part: .credit(Credit(messages: 1, bytes: bytes))))
                case .credit, nil: break
                }
                guard count == announced else { continue }
                try await writer.send(.init(part: .head(InferAnswerHead(status: 200, contentType: name))))
                try await writer.send(.init(part: .chunk(InferChunk(data: ByteBuffer(string: "\(count)")))))
                return
            }
        }
        return router
    }

    private static func text(_ arrivals: [InferenceArrival]) -> ByteBuffer {
        arrivals.reduce(into: ByteBuffer()) { joined, arrival in
            if case .piece(let piece) = arrival { joined.writeImmutableBuffer(piece) }
        }
    }

    @Test("bodies of any size pass whole, also with a connection for each event loop", arguments: [1, 8])
    func sizes(_ connections: Int) async throws {
        try await withServer(router: Self.countRouter()) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.controlConnections = connections
            try await withClient(configuration) { client in
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            let body = ByteBuffer(repeating: UInt8(number), count: 1 + number * 400_000)
                            let arrivals = await Self.answer(client, body: body)
                            #expect(arrivals.first == .head(InferAnswerHead(status: 200)))
                            #expect(
                                arrivals.last == .end && String(buffer: Self.text(arrivals)) == "\(body.readableBytes)"
                            )
                        }
                    }
                }
            }
        }
    }

    @Test("the connection of the caller's event loop is taken")
    func near() async throws {
        try await withServer(router: Self.countRouter()) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.controlConnections = 8
            try await withClient(configuration) { client in
                let loops = client.configuration.controlLoops
                await client.untilChanged {
                    loops.allSatisfy { loop in
                        guard
                            case .connection(let chosen) = client.links.choose(
                                lane: .control,
                                endpoint: nil,
                                near: loop
                            )
                        else { return false }
                        return chosen.channel.eventLoop === loop
                    }
                }
                // Once, however many connections there are; that for file content may come last.
                await client.until { $0 == [server.endpoint] }
            }
        }
    }

    @Test(
        "G6-09 a call that a server does not accept, or has no method for, is made on another one, with its whole body",
        arguments: [RPCError.notAccepted("not now"), RPCError(code: .unimplemented, message: "no such method")]
    )
    func notAccepted(_ refusal: RPCError) async throws {
        try await withServer(router: Self.countRouter("other")) { other in
            try await withScriptedServer { configuration in
                configuration.backOff = BackOff(minimum: .milliseconds(1), maximum: .milliseconds(1))
                configuration.endpoints.append(other.endpoint)
            } _: { listener in
                _ = try await listener.accept { connection in
                    while let frame = try await connection.nextFrame() {
                        guard frame.type == .request else { continue }
                        let envelope = Envelope.Response(status: refusal.status)
                        try await connection.send(
                            Frame(streamID: frame.streamID, type: .response, data: try envelope.serialized())
                        )
                    }
                }
            } client: { client in
                await client.until { $0.count == 2 }
                for _ in 0..<4 {
                    let body = ByteBuffer(repeating: 1, count: 300_000)
                    let arrivals = await Self.answer(client, body: body)
                    #expect(arrivals.first == .head(InferAnswerHead(status: 200, contentType: "other")))
                    #expect(arrivals.last == .end && String(buffer: Self.text(arrivals)) == "\(body.readableBytes)")
                }
            }
        }
    }

    @Test("of some servers the one with the fewest calls in flight is the best, whatever connections it has")
    func best() async throws {
        try await withServer(router: Self.countRouter()) { first in
            try await withServer(router: Self.countRouter()) { second in
                var configuration = patientClient(of: [first.endpoint, second.endpoint])
                configuration.controlConnections = 2
                try await withClient(configuration) { client in
                    await client.until { $0.count == 2 }
                    let both = [first.endpoint, second.endpoint]
                    for (busy, free) in [(first.endpoint, second.endpoint), (second.endpoint, first.endpoint)] {
                        guard case .connection(let taken) = client.links.choose(lane: .control, endpoint: busy) else {
                            Issue.record("no connection")
                            return
                        }
                        #expect(taken.enter() == nil)
                        for _ in 0..<20 { #expect(client.bestEndpoint(of: both) == free) }
                        #expect(client.bestEndpoint(of: [busy]) == busy)
                        taken.leave()
                    }
                    guard case .connection(let other) = client.links.choose(lane: .bulk, endpoint: first.endpoint)
                    else {
                        Issue.record("no connection for file content")
                        return
                    }
                    // Calls of the other lane do not count.
                    #expect(other.enter() == nil)
                    let chosen = Set((0..<200).map { _ in client.bestEndpoint(of: both) })
                    #expect(chosen == Set(both), "servers that are as good as each other take turns")
                    other.leave()
                    #expect(client.bestEndpoint(of: [.init(host: "nowhere", port: 1)]) == nil)
                }
            }
        }
    }

    @Test("a call that may have run is not made again")
    func mayHaveRun() async throws {
        try await withScriptedServer { listener in
            _ = try await listener.accept { connection in
                while let frame = try await connection.nextFrame(), frame.type != .data {}
                await connection.reset()
            }
        } client: { client in
            guard case .failed(let error) = await Self.answer(client).last else {
                Issue.record("nobody answered")
                return
            }
            #expect(error.code == .unavailable && !error.notSent)
        }
    }

    @Test(
        "A10-05 a call that is cancelled, or that nobody holds any more, ends at the server",
        arguments: [true, false]
    )
    func cancel(isSaid: Bool) async throws {
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        var router = RPCRouter()
        router.register(InferenceService.infer) { messages, writer, _ in
            try await writer.send(.init(part: .head(InferAnswerHead(status: 200))))
            defer { end.yield() }
            for try await _ in messages {}
        }
        try await withServer(router: router) { [router = router] server in
            _ = router
            var configuration = patientClient(of: [server.endpoint])
            configuration.usesSession = true
            configuration.lanes = [.control]
            try await withClient(configuration) { client in
                try await client.untilGreeted()
                let (arrivals, arrival) = AsyncStream.makeStream(of: Void.self)
                let loop = MultiThreadedEventLoopGroup.singleton.any()
                var call: InferenceCall? = client.infer(Self.head, body: ByteBuffer(string: "{}"), on: loop) {
                    arrival.yield()
                }
                for await _ in arrivals { break }
                #expect(call?.take() == .head(InferAnswerHead(status: 200)) && call?.take() == nil)
                if isSaid {
                    call?.cancel()
                    call?.cancel()
                } else {
                    call = nil
                }
                for await _ in ends { break }
            }
        }
    }

    @Test("a call's time is over, with and without a connection")
    func deadline() async throws {
        let options = CallOptions(timeout: .milliseconds(50))
        try await withScriptedServer { listener in
            // The client may be gone before it is accepted.
            _ = try? await listener.accept { connection in while try await connection.nextFrame() != nil {} }
        } client: { client in
            await client.until { $0.count == 1 }
            guard case .failed(let error) = await Self.answer(client, options: options).last else {
                Issue.record("nobody answered")
                return
            }
            #expect(error.code == .deadlineExceeded)
        }
        let nobody = RPCClient(
            configuration: patientClient(of: [.init(host: "127.0.0.1", port: 1)]),
            logger: quietLogger
        )
        guard case .failed(let error) = await Self.answer(nobody, options: options).last else {
            Issue.record("nobody answered")
            return
        }
        #expect(error.notSent && [.deadlineExceeded, .unavailable].contains(error.code))
    }
}
