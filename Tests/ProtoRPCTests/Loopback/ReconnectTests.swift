import NIOCore
import ProtoMessages
import Testing

@testable import ProtoRPC

@Suite(.timeLimit(.minutes(1))) struct ReconnectTests {
    @Test func aServerThatComesBackOnItsPortIsUsedAgain() async throws {
        // An address of its own: while the server is away, another test's may be given the port on the usual one.
        let host = "127.0.0.2"
        let port = try await withServer(RPCServerConfiguration(host: host)) { $0.port }
        let endpoint = RPCClient.Endpoint(host: host, port: port)
        try await withClient(patientClient(of: [endpoint])) { client in
            for _ in 0..<3 {
                try await withServer(RPCServerConfiguration(host: host, port: port)) { _ in
                    await client.until { $0 == [endpoint] }
                    _ = try await client.echo()
                }
                await client.until { $0.isEmpty }
                #expect(!client.isConnected)
            }
        }
    }

    @Test func whileBackingOffACallFailsAtOnceUnsentAndNamesTheAddress() async throws {
        // An address of its own, as above.
        let host = "127.0.0.5"
        let port = try await withServer(RPCServerConfiguration(host: host)) { $0.port }
        let endpoint = RPCClient.Endpoint(host: host, port: port)
        let backOff = BackOff(minimum: .seconds(3_600), maximum: .seconds(3_600))
        try await withClient(patientClient(of: [endpoint], backOff: backOff)) { client in
            // The first call waits for the first attempt, the second finds the back-off.
            for _ in 0..<2 {
                let error = await failure { try await client.echo() }
                #expect(error?.code == .unavailable)
                #expect(error?.notSent == true)
                #expect(error?.message.contains("\(host):\(port)") == true)
                #expect(error?.message.contains("refused") == true)
            }
        }
    }

    @Test func withoutARunningClientACallWaitsOnlyBriefly() async throws {
        let configuration = RPCClientConfiguration(
            endpoints: [.init(host: "127.0.0.1", port: 1)],
            connectionWait: .milliseconds(5)
        )
        let client = RPCClient(configuration: configuration, logger: quietLogger)
        let patient = await failure { try await client.echo() }
        #expect(patient?.code == .unavailable)
        #expect(patient?.notSent == true)
        let options = CallOptions(timeout: .milliseconds(1))
        let hurried = await failure { try await client.echo(options: options) }
        #expect(hurried?.code == .deadlineExceeded)
        #expect(hurried?.notSent == true)
    }

    @Test func aCancelledWaitForAConnectionEndsAtOnce() async throws {
        let configuration = RPCClientConfiguration(
            endpoints: [.init(host: "127.0.0.1", port: 1)],
            connectionWait: .seconds(3_600)
        )
        let client = RPCClient(configuration: configuration, logger: quietLogger)
        await withTaskGroup(of: RPCError?.self) { group in
            group.addTask {
                await failure { try await client.echo(options: CallOptions(timeout: .seconds(3_600))) }
            }
            group.cancelAll()
            for await error in group {
                #expect(error?.code == .cancelled)
                #expect(error?.notSent == true)
            }
        }
    }

    @Test func aClientWithoutEndpointsSaysSo() async {
        let client = RPCClient(configuration: RPCClientConfiguration(endpoints: []), logger: quietLogger)
        let error = await failure { try await client.echo() }
        #expect(error?.code == .unavailable)
        #expect(error?.message == "the client has no endpoints")
    }

    @Test func aPinnedCallGoesToItsServerOnly() async throws {
        try await withServer { first in
            try await withServer { second in
                try await withClient(of: first, second) { client in
                    await client.until { $0.count == 2 }
                    for endpoint in [first.endpoint, second.endpoint, first.endpoint] {
                        let options = CallOptions(endpoint: endpoint)
                        let reply = try await client.reply(echo, Envelope.KeyValue(key: "k"), options: options)
                        #expect(reply.endpoint == endpoint)
                    }
                    let elsewhere = RPCClient.Endpoint(host: "127.0.0.1", port: 1)
                    let error = await failure { try await client.echo(options: CallOptions(endpoint: elsewhere)) }
                    #expect(error?.code == .unavailable)
                    #expect(error?.notSent == true)
                }
            }
        }
    }

    @Test func aCallGoesToTheServerWithTheFewestInFlight() async throws {
        let stage = Stage()
        let hold = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: echo.service, name: "Hold")
        try await withServer(router: stage.router()) { busy in
            try await withServer { idle in
                try await withClient(of: busy, idle) { client in
                    await client.until { $0.count == 2 }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        let pinned = CallOptions(endpoint: busy.endpoint)
                        group.addTask { _ = try await client.call(hold, Envelope.KeyValue(), options: pinned) }
                        #expect(await stage.next() == "began")
                        for _ in 0..<5 {
                            let reply = try await client.reply(echo, Envelope.KeyValue())
                            #expect(reply.endpoint == idle.endpoint)
                        }
                        stage.curtain.open()
                        try await group.waitForAll()
                    }
                }
            }
        }
    }

    @Test("G6-08 lanes use connections of their own, so that small calls do not wait behind file content")
    func lanesUseConnectionsOfTheirOwn() async throws {
        var router = RPCRouter()
        router.register(echo) { _, context in Envelope.KeyValue(key: context.peer.map { "\($0)" } ?? "") }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                let control = try await client.echo(options: CallOptions(lane: .control))
                let bulk = try await client.echo(options: CallOptions(lane: .bulk))
                let again = try await client.echo(options: CallOptions(lane: .control))
                #expect(control != bulk)
                #expect(control == again)
            }
        }
    }

    @Test("G6-08 what has no connection on one lane is not connected there because it is on the other")
    func aLaneWithoutConnection() async throws {
        try await withServer { first in
            try await withServer { second in
                try await withClient(of: first, second) { client in
                    await client.until { $0.count == 2 }
                    let links = client.links
                    let control = links.choose(lane: .control, endpoint: second.endpoint)
                    let index = links.keys.firstIndex { $0.endpoint == second.endpoint && $0.lane == .control }
                    guard case .connection(let connection) = control, let index else {
                        Issue.record("no connection")
                        return
                    }
                    _ = links.update(index) { $0.attemptFailed("lost") }
                    #expect(client.connectedEndpoints == [first.endpoint])
                    #expect(!links.hasConnection(lane: .control, endpoint: nil, besides: [first.endpoint]))
                    #expect(links.hasConnection(lane: .bulk, endpoint: nil, besides: [first.endpoint]))
                    let error = await failure { try await client.echo(options: CallOptions(endpoint: second.endpoint)) }
                    #expect(error?.message == "not connected to \(second.endpoint) (lost)")
                    // The client closes what it has.
                    _ = links.update(index) { $0.attemptSucceeded(connection) }
                }
            }
        }
    }
}
