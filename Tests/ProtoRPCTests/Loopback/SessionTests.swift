import NIOCore
import ProtoFraming
import ProtoMessages
import Testing

@testable import ProtoRPC

/// The Session service, which every server has besides its own.
@Suite(.timeLimit(.minutes(1))) struct SessionTests {
    @Test("G6-01 Hello tells what the server allows")
    func hello() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                let limits = SessionLimits(version: 1, node: "test", features: ["something new"])
                let answer = try await client.call(SessionService.hello, HelloRequest(client: limits))
                #expect(
                    answer.server
                        == SessionLimits(
                            version: 1,
                            maximumFrameBytes: 4 << 20,
                            maximumStreams: 1_024,
                            windowMessages: 64,
                            windowBytes: 1 << 20
                        )
                )
            }
        }
    }

    @Test("G6-04 a ping comes back")
    func ping() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                let answer = try await client.call(SessionService.ping, PingRequest(nonce: .max))
                #expect(answer.nonce == .max)
            }
        }
    }

    @Test("G6-06 health knows the server and its services, and a handler of its own comes first")
    func health() async throws {
        try await withServer { server in
            try await withClient(of: server) { client in
                for (service, status) in [("", ServingStatus.serving), (echo.service, .serving), ("no.v1", .unknown)] {
                    let answer = try await client.call(SessionService.health, HealthRequest(service: service))
                    #expect(answer.status == status, "\(service)")
                }
            }
        }
        var router = RPCRouter()
        router.register(SessionService.health) { _, _ in HealthResponse(status: .notServing) }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let answer = try await client.call(SessionService.health, HealthRequest())
                #expect(answer.status == .notServing)
            }
        }
    }

    @Test("G6-03 G6-11 the service answers when the connection takes no more calls, and when it drains")
    func full() async throws {
        let stage = Stage()
        var configuration = RPCServerConfiguration()
        configuration.limits.maximumStreams = 1
        try await withServer(configuration, router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                let message = Envelope.KeyValue(key: "k")
                try await peer.send(try request(1, method: "Wait", message))
                #expect(await stage.next() == "began")
                try await peer.send(try request(3, message))
                #expect(try await peer.nextResponse()?.code == RPCStatus.Code.resourceExhausted.rawValue)
                let ping = PingRequest(nonce: 7)
                try await peer.send(try request(5, service: SessionService.name, method: "Ping", ping))
                #expect(try await peer.nextFrame() == response(5, PingResponse(nonce: 7)))
                await server.drain()
                try await self.untilDraining(peer)
                let cancel = CancelRequest(streamID: 1)
                try await peer.send(try request(9_999, service: SessionService.name, method: "Cancel", cancel))
                #expect(try await peer.nextResponse()?.code == RPCStatus.Code.cancelled.rawValue)
                #expect(try await peer.nextFrame() == response(9_999, CancelResponse(wasRunning: true)))
                #expect(await stage.next() == "cancelled")
                #expect(try await peer.nextFrame() == nil)
            }
        }
    }

    @Test("G6-05 Watch tells twice that the connection drains: before and after what is on its way has come")
    func watch() async throws {
        try await withServer(Self.patient) { server in
            try await withRawClient(port: server.port) { peer in
                let watch = try request(7, service: SessionService.name, method: "Watch", WatchRequest())
                try await peer.send(watch, try request(9, Envelope.KeyValue(key: "k")))
                #expect(try await peer.nextResponse()?.streamID == 9)
                await server.drain()
                let first = try await self.notice(peer)
                #expect(first?.lastAcceptedStreamID == 2_147_483_647)
                #expect(first?.remainingMilliseconds ?? 0 > 0)
                let nonce = first?.pingNonce ?? 0
                #expect(nonce != 0)
                // What comes before the ping is run, also behind a ping of another kind.
                for (streamID, nonce) in [(UInt32(11), UInt64(0)), (15, nonce)] {
                    let ping = PingRequest(nonce: nonce)
                    try await peer.send(
                        try request(streamID, service: SessionService.name, method: "Ping", ping),
                        try request(streamID + 2, Envelope.KeyValue(key: "k"))
                    )
                }
                var codes: [UInt32: Int32] = [:]
                var last: Drain?
                while let frame = try await peer.nextFrame(), frame != StreamMethods.end(7) {
                    if frame.streamID == 7 {
                        last = try WatchResponse(serialized: frame.data).drain
                    } else {
                        codes[frame.streamID] = try Envelope.Response(serialized: frame.data).status?.code ?? 0
                    }
                }
                #expect(last?.pingNonce == 0)
                #expect(last?.lastAcceptedStreamID == 15)
                while let response = try await peer.nextResponse() {
                    codes[response.streamID] = response.code
                }
                #expect(codes == [11: 0, 13: 0, 15: 0, 17: RPCStatus.Code.unavailable.rawValue])
            }
        }
    }

    private func notice(_ peer: RawConnection) async throws -> Drain? {
        guard let frame = try await peer.nextFrame() else { return nil }
        #expect(frame.streamID == 7 && frame.type == .data && frame.flags == [])
        return try WatchResponse(serialized: frame.data).drain
    }

    private static let patient = RPCServerConfiguration(
        drainTimeout: .seconds(600),
        drainNoticeTimeout: .seconds(600)
    )

    @Test("G6-05 a client that was told of a drain sends nothing more there, and its running calls end well")
    func drainedClient() async throws {
        let stage = Stage()
        try await withServer(router: stage.router()) { server in
            var configuration = patientClient(of: [server.endpoint], backOff: BackOff(minimum: .seconds(600)))
            configuration.lanes = [.control]
            configuration.usesSession = true
            try await withClient(configuration) { client in
                async let held = client.call(
                    RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Hold"),
                    Envelope.KeyValue(key: "held")
                )
                #expect(await stage.next() == "began")
                try await client.untilGreeted()
                await server.drain()
                await client.untilRefusing()
                let error = await failure { try await client.echo() }
                #expect(error?.notSent == true)
                stage.curtain.open()
                let answer = try await held
                #expect(answer.key == "held")
            }
        }
    }

    @Test("a request that is none is INVALID_ARGUMENT")
    func malformed() async throws {
        try await withServer { server in
            try await withRawClient(port: server.port) { peer in
                let envelope = Envelope.Request(
                    service: SessionService.name,
                    method: "Ping",
                    payload: ByteBuffer(bytes: [0xff])
                )
                try await peer.send(Frame(streamID: 1, type: .request, data: try envelope.serialized()))
                #expect(try await peer.nextResponse()?.code == RPCStatus.Code.invalidArgument.rawValue)
            }
        }
    }

    /// Asks for the health until the notice to stop has reached the connection.
    private func untilDraining(_ peer: RawConnection) async throws {
        for streamID in stride(from: UInt32(11), to: 9_000, by: 2) {
            try await peer.send(try request(streamID, service: SessionService.name, method: "Health", HealthRequest()))
            if try await peer.nextFrame() == response(streamID, HealthResponse(status: .notServing)) { return }
        }
    }
}
