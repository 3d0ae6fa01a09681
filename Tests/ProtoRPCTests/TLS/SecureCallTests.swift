import NIOCore
import NIOPosix
import ProtoMessages
import ProtoTLS
import Synchronization
import Testing

@testable import ProtoRPC

/// Calls over mutual TLS on real sockets (G6-10, T-26).
@Suite(.timeLimit(.minutes(2))) struct SecureCallTests {
    private let peers: SecurePeers
    /// Counts what has run.
    private let runs = Counter()

    private final class Counter: Sendable {
        private let value = Mutex(0)
        var count: Int { self.value.withLock { $0 } }
        func add() { self.value.withLock { $0 += 1 } }
    }

    private static let whoAmI = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(
        service: "test.v1.Echo",
        name: "WhoAmI",
        roles: [.gateway, .service]
    )
    private static let administer = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(
        service: "test.v1.Echo",
        name: "Administer",
        roles: [.operator]
    )
    private static let unsaid = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(
        service: "test.v1.Echo",
        name: "Unsaid"
    )
    private static let count = RPCServerStreamMethod<Envelope.KeyValue, Envelope.KeyValue>(
        service: "test.v1.Echo",
        name: "Count",
        roles: [.gateway]
    )

    init() throws {
        self.peers = try SecurePeers()
    }

    private func router() -> RPCRouter {
        let runs = self.runs
        var router = RPCRouter()
        for method in [Self.whoAmI, Self.administer, Self.unsaid] {
            router.register(method) { _, context in
                runs.add()
                return Envelope.KeyValue(key: context.caller.name, value: context.tenant)
            }
        }
        router.register(Self.count) { _, writer, _ in
            for number in 0..<1_000 {
                try await writer.send(
                    Envelope.KeyValue(key: String(number), value: String(repeating: "x", count: 1_000))
                )
            }
        }
        return router
    }

    @Test("G6-10 a client and a server that show good certificates speak, in calls and streams")
    func mutual() async throws {
        try await withServer(self.peers.server(), router: self.router()) { server in
            try await withClient(self.peers.client(of: server)) { client in
                let answer = try await client.call(Self.whoAmI, Envelope.KeyValue())
                #expect(answer == Envelope.KeyValue(key: "spiffe://backfill/gateway", value: "default"))
                let numbers = try await client.withStream(Self.count, Envelope.KeyValue()) { messages in
                    var numbers: [Int] = []
                    for try await message in messages { numbers.append(Int(message.key) ?? -1) }
                    return numbers
                }
                #expect(numbers == Array(0..<1_000))
            }
        }
    }

    @Test("G6-10 the server's certificate may be checked for a URI")
    func serverURI() async throws {
        try await withServer(self.peers.server(), router: self.router()) { server in
            let good = try self.peers.client(of: server, identity: .uri("spiffe://backfill/scheduler"))
            try await withClient(good) { client in
                _ = try await client.call(Self.whoAmI, Envelope.KeyValue())
            }
            let bad = try self.peers.client(of: server, identity: .uri("spiffe://backfill/gateway"))
            try await self.expectRefusal(of: bad, saying: "certificateNameMismatch")
        }
    }

    @Test(
        "T-26 a server whose certificate does not hold is not called",
        arguments: [
            ("expired", "certificateExpired"), ("future", "certificateNotYetValid"),
            ("elsewhere", "certificateNameMismatch"), ("alone", "certificateUntrusted"),
            ("other/scheduler", "certificateUntrusted"),
        ]
    )
    func badServer(name: String, reason: String) async throws {
        try await withServer(self.peers.server(name), router: self.router()) { server in
            try await self.expectRefusal(of: self.peers.client(of: server), saying: reason)
        }
        #expect(self.runs.count == 0)
    }

    @Test(
        "T-26 a client whose certificate does not hold, or that has none, is not served",
        arguments: [nil, "expired", "future", "alone", "other/scheduler", "revoked"]
    )
    func badClient(name: String?) async throws {
        try await withServer(self.peers.server(revocationLists: "crl.pem"), router: self.router()) { server in
            // In TLS 1.3 the client has ended its handshake when the server looks at the certificate.
            try await self.expectRefusal(of: self.peers.client(name, of: server), saying: nil)
        }
        #expect(self.runs.count == 0)
    }

    @Test("T-26 plaintext to a TLS port and TLS to a plaintext port fail, and nothing runs")
    func plaintext() async throws {
        try await withServer(self.peers.server(), router: self.router()) { server in
            try await self.expectRefusal(of: patientClient(of: [server.endpoint]), saying: nil)
        }
        try await withServer(router: self.router()) { server in
            try await self.expectRefusal(of: self.peers.client(of: server), saying: nil)
        }
        #expect(self.runs.count == 0)
    }

    /// A call that fails as UNAVAILABLE with the reason, within its timeout.
    private func expectRefusal(of configuration: RPCClientConfiguration, saying reason: String?) async throws {
        try await withClient(configuration) { client in
            let error = await #expect(throws: RPCError.self) {
                try await client.call(Self.whoAmI, Envelope.KeyValue(), options: CallOptions(timeout: .seconds(60)))
            }
            #expect(error?.code == .unavailable)
            if let reason { #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")") }
        }
    }

    // MARK: - Roles

    @Test("design 3: a role calls what its methods declare, and nothing else")
    func roles() async throws {
        try await withServer(self.peers.server(), router: self.router()) { server in
            try await withClient(self.peers.client("gateway", of: server)) { client in
                for denied in [Self.administer, Self.unsaid] {
                    let error = await #expect(throws: RPCError.self) {
                        try await client.call(denied, Envelope.KeyValue())
                    }
                    #expect(error?.code == .permissionDenied)
                    #expect(error?.message == "spiffe://backfill/gateway may not call test.v1.Echo/\(denied.name)")
                }
            }
            // Its URI has no role.
            try await withClient(self.peers.client("scheduler", of: server)) { client in
                let error = await #expect(throws: RPCError.self) {
                    try await client.call(Self.whoAmI, Envelope.KeyValue())
                }
                #expect(error?.code == .permissionDenied)
                let answer = try await client.call(SessionService.ping, PingRequest(nonce: 7))
                #expect(answer.nonce == 7)
                let stream = await #expect(throws: RPCError.self) {
                    try await client.withStream(Self.count, Envelope.KeyValue()) { messages in
                        for try await _ in messages {}
                    }
                }
                #expect(stream?.code == .permissionDenied)
            }
        }
        #expect(self.runs.count == 0)
    }

    @Test("design 3: a gateway names the tenant, a service has its own")
    func tenants() async throws {
        try await withServer(self.peers.server(), router: self.router()) { server in
            try await withClient(self.peers.client("gateway", of: server)) { client in
                let named = try await self.tenant(client, named: "anybody")
                #expect(named == "anybody")
            }
            try await withClient(self.peers.client("service-example", of: server)) { client in
                for name in [nil, "example"] {
                    let tenant = try await self.tenant(client, named: name)
                    #expect(tenant == "example")
                }
                let error = await #expect(throws: RPCError.self) { try await self.tenant(client, named: "anybody") }
                #expect(error?.code == .permissionDenied)
            }
        }
        #expect(self.runs.count == 3)
    }

    private func tenant(_ client: RPCClient, named name: String?) async throws -> String {
        let options = CallOptions(metadata: name.map { [("tenant", $0)] } ?? [])
        return try await client.call(Self.whoAmI, Envelope.KeyValue(), options: options).value
    }

    // MARK: - Peers that do not go on

    @Test("G6-11 a client that does not complete the handshake is closed, and does not keep its place")
    func handshakeTimeout() async throws {
        var limits = RPCServerLimits()
        limits.handshakeTimeout = .milliseconds(500)
        limits.maximumConnections = 1
        try await withServer(self.peers.server(limits: limits), router: self.router()) { server in
            try await withRawClient(port: server.port) { connection in
                // The server's end comes without a byte of the client.
                let frame = try await connection.nextFrame()
                #expect(frame == nil)
            }
            // One lane: there is one place.
            var configuration = try self.peers.client(of: server)
            configuration.lanes = [.control]
            // On a busy machine a good client's handshake may take too long as well; it is served in the end.
            while await self.isRefused(configuration) {}
        }
        #expect(self.runs.count == 1)
    }

    private func isRefused(_ configuration: RPCClientConfiguration) async -> Bool {
        do {
            _ = try await withClient(configuration) { client in try await client.call(Self.whoAmI, Envelope.KeyValue())
            }
            return false
        } catch {
            return true
        }
    }

    @Test("T-23 a stopping server does not wait for handshakes")
    func drainDuringHandshake() async throws {
        var limits = RPCServerLimits()
        limits.handshakeTimeout = .seconds(3_600)
        try await withServer(self.peers.server(limits: limits), router: self.router()) { server in
            try await withRawClient(port: server.port) { connection in
                // An answer shows that the server has the connection before it stops: a fatal alert would end it, so a
                // client that is served goes first.
                try await withClient(self.peers.client(of: server)) { client in
                    _ = try await client.call(Self.whoAmI, Envelope.KeyValue())
                }
                await server.drain()
                #expect(try await connection.nextFrame() == nil)
            }
        }
    }
}
