import NIOCore
import ProtoFraming
import ProtoMessages
import ProtoRPC
import ServiceLifecycle
import Testing

@Suite(.timeLimit(.minutes(1))) struct ShutdownTests {
    private let message = Envelope.KeyValue(key: "k")

    @Test("G6-05 a draining server ends running calls, refuses new ones and closes")
    func drain() async throws {
        let stage = Stage()
        try await withServer(router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, method: "Hold", message))
                #expect(await stage.next() == "began")
                await server.drain()
                // Draining reaches the connection in its own time.
                var refused: Int32?
                var streamID: UInt32 = 3
                while refused == nil, !Task.isCancelled {
                    try await peer.send(try request(streamID, message))
                    let response = try #require(try await peer.nextResponse())
                    #expect(response.streamID == streamID)
                    if response.code != 0 { refused = response.code }
                    streamID += 2
                }
                #expect(refused == RPCStatus.Code.unavailable.rawValue)
                stage.curtain.open()
                #expect(try await peer.nextResponse()?.streamID == 1)
                #expect(try await peer.nextFrame() == nil)
            }
        }
    }

    @Test func anIdleConnectionOfADrainingServerIsClosedAndNoneIsAccepted() async throws {
        try await withServer { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, message))
                #expect(try await peer.nextResponse()?.streamID == 1)
                await server.drain()
                #expect(try await peer.nextFrame() == nil)
            }
            await #expect(throws: (any Error).self) {
                try await withRawClient(port: server.port) { peer in
                    if try await peer.nextFrame() == nil { throw ServerDidNotStart() }
                }
            }
        }
    }

    @Test func aCallThatOutlastsTheDrainIsCancelledAndItsConnectionClosed() async throws {
        let stage = Stage()
        let configuration = RPCServerConfiguration(drainTimeout: .milliseconds(5))
        try await withServer(configuration, router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, method: "Wait", message))
                #expect(await stage.next() == "began")
                await server.drain()
                #expect(try await peer.nextFrame() == nil)
                #expect(await stage.next() == "cancelled")
            }
        }
    }

    @Test("G5-07 calls of a client that is gone are cancelled")
    func clientGone() async throws {
        let stage = Stage()
        try await withServer(router: stage.router()) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try request(1, method: "Wait", message), try request(3, method: "Wait", message))
                #expect(await stage.next() == "began")
                #expect(await stage.next() == "began")
            }
            #expect(await stage.next() == "cancelled")
            #expect(await stage.next() == "cancelled")
        }
    }

    @Test func aCancelledServerClosesItsConnectionsAndCancelsTheirCalls() async throws {
        let stage = Stage()
        let wait = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Wait")
        // An address of its own, so that the port is there when it is wanted again.
        let host = "127.0.0.4"
        let port = try await withServer(RPCServerConfiguration(host: host)) { $0.port }
        let endpoint = RPCClient.Endpoint(host: host, port: port)
        try await withClient(patientClient(of: [endpoint])) { client in
            async let outcome = failure {
                await client.until { $0 == [endpoint] }
                return try await client.call(wait, Envelope.KeyValue())
            }
            try await withServer(RPCServerConfiguration(host: host, port: port), router: stage.router()) { _ in
                #expect(await stage.next() == "began")
            }
            #expect(await stage.next() == "cancelled")
            let error = await outcome
            #expect(error?.code == .unavailable)
            #expect(error?.notSent == false)
        }
    }

    @Test func aStoppingClientLetsItsCallsEndAndRefusesNewOnes() async throws {
        let stage = Stage()
        let hold = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Hold")
        try await withServer(router: stage.router()) { server in
            let configuration = patientClient(of: [server.endpoint])
            try await withStoppableClient(configuration) { client, lifecycle in
                try await withThrowingTaskGroup(of: Envelope.KeyValue.self) { group in
                    group.addTask { try await client.call(hold, message) }
                    #expect(await stage.next() == "began")
                    await lifecycle.triggerGracefulShutdown()
                    await client.untilRefusing()
                    let error = await failure { try await client.echo() }
                    #expect(error?.code == .unavailable)
                    #expect(error?.notSent == true)
                    stage.curtain.open()
                    let answer = try await group.next()
                    #expect(answer == message)
                }
            }
        }
    }
}
