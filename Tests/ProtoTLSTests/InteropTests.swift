import Foundation
import NIOCore
import NIOPosix
import ProtoTLS
import TLSTestSupport
import Testing

/// Against the `openssl` program, over sockets. One at a time: each waits for a program on a thread of the pool.
/// The limit is only against a peer that waits for ever.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct InteropTests {
    let contexts: TestContexts

    init() throws {
        self.contexts = try TestContexts()
    }

    // MARK: - Its client, this server

    @Test("T-26 s_client is echoed, and its close_notify is seen", arguments: ["-tls1_3", "-tls1_2"])
    func client(version: String) async throws {
        let context = try self.contexts.server(mutual: true) {
            $0.minimumVersion = .tls12
            $0.applicationProtocols = ["http/1.1"]
        }
        let server = try await SocketServer(context)
        let client = try OpenSSLProcess(
            ["s_client", version, "-connect", server.address, "-servername", "localhost", "-alpn", "h2,http/1.1"]
                + ["-verify_hostname", "localhost", "-verify_return_error", "-quiet", "-no_ign_eof"]
                + ["-CAfile", self.contexts.certificates.path("ca.pem")] + self.certificate("service-example")
        )
        client.send("hello\n")
        #expect(client.output(through: "hello\n") != nil)
        #expect(client.end() == 0)
        let outcome = try await server.outcome.get()
        #expect(outcome.received == Array("hello\n".utf8))
        #expect(outcome.codes == [])
        #expect(outcome.peer?.certificate?.uris == ["spiffe://backfill/service/example"])
        #expect(outcome.peer?.applicationProtocol == "http/1.1")
        #expect(outcome.peer?.serverName == "localhost")
        #expect(outcome.peer?.version == (version == "-tls1_3" ? "TLSv1.3" : "TLSv1.2"))
        try await server.close()
    }

    @Test("T-26 old versions are refused", arguments: [("-tls1_1", true), ("-tls1_1", false), ("-tls1_2", false)])
    func oldVersion(version: String, allows12: Bool) async throws {
        let server = try await SocketServer(self.contexts.server { if allows12 { $0.minimumVersion = .tls12 } })
        let client = try OpenSSLProcess(
            ["s_client", version, "-cipher", "DEFAULT@SECLEVEL=0", "-connect", server.address]
        )
        #expect(client.end() != 0)
        let outcome = try await server.outcome.get()
        #expect(outcome.codes == [.version])
        #expect(outcome.peer == nil)
        try await server.close()
    }

    @Test(
        "T-26 s_client resumes a session of this server, in a ticket or, with client certificates, kept here",
        arguments: [true, false]
    )
    func clientResumes(isMutual: Bool) async throws {
        let context = try self.contexts.server(mutual: isMutual)
        let file = self.contexts.certificates.path("session-\(UUID().uuidString)")
        for option in ["-sess_out", "-sess_in"] {
            let server = try await SocketServer(context)
            let client = try OpenSSLProcess(
                ["s_client", "-connect", server.address, "-CAfile", self.contexts.certificates.path("ca.pem")]
                    + ["-servername", "localhost", "-quiet", "-no_ign_eof", option, file]
                    + (isMutual ? self.certificate("gateway") : [])
            )
            // The tickets come before the echo.
            client.send("x\n")
            #expect(client.output(through: "x\n") != nil)
            #expect(client.end() == 0)
            let outcome = try await server.outcome.get()
            let peer = try #require(outcome.peer)
            #expect(peer.isResumed == (option == "-sess_in"))
            #expect(peer.certificate?.uris == (isMutual ? ["spiffe://backfill/gateway"] : nil))
            try await server.close()
        }
    }

    @Test(
        "G6-10 a chain is sent without the root, and completed from the trusted certificates",
        arguments: [("scheduler", "ca", 1), ("below", "root-and-between", 2), ("below", nil, 1)]
    )
    func chain(name: String, trust: String?, expected: Int) async throws {
        let certificates = self.contexts.certificates
        let context = try self.contexts.server(name) { $0.trust = trust.map { .file(certificates.path("\($0).pem")) } }
        let server = try await SocketServer(context)
        let client = try OpenSSLProcess(["s_client", "-connect", server.address, "-showcerts", "-no_ign_eof"])
        let text = try #require(client.output(through: "Server certificate"))
        #expect(text.components(separatedBy: "BEGIN CERTIFICATE").count - 1 == expected)
        #expect(client.end() == 0)
        _ = try await server.outcome.get()
        try await server.close()
    }

    // MARK: - Its server, this client

    @Test("T-26 s_server answers, mutual or not", arguments: [true, false], ["-tls1_3", "-tls1_2"])
    func server(isMutual: Bool, version: String) async throws {
        let mutual = isMutual ? ["-Verify", "1", "-verify_return_error"] : []
        let server = try OpenSSLProcess(
            ["s_server", version, "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", "-alpn", "ttrpc/1.2"]
                + ["-CAfile", self.contexts.certificates.path("ca.pem")] + mutual + self.certificate("scheduler")
        )
        let context = try self.contexts.client(isMutual ? "gateway" : nil) {
            $0.minimumVersion = .tls12
            $0.applicationProtocols = ["ttrpc/1.2"]
        }
        let client = try await SocketClient(context, port: server.port(), serverName: "localhost")
        try await client.send("stressed\n")
        let answer = try await client.answer.get()
        #expect(answer == "desserts\n")
        try await client.close()
        let outcome = try await client.outcome.get()
        #expect(outcome.codes == [])
        #expect(outcome.peer?.applicationProtocol == "ttrpc/1.2")
        #expect(outcome.peer?.certificate?.uris == ["spiffe://backfill/scheduler"])
        _ = server.end()
    }

    @Test("T-26 a server with a weak key is refused")
    func weakServer() async throws {
        let server = try OpenSSLProcess(
            ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", "-cipher", "DEFAULT@SECLEVEL=0"]
                + self.certificate("weak")
        )
        let client = try await SocketClient(self.contexts.client(), port: server.port(), serverName: "localhost")
        let outcome = try await client.outcome.get()
        #expect(outcome.codes == [.weakKey])
        #expect(outcome.peer == nil)
        _ = server.end()
    }

    @Test("T-26 a server that is killed has truncated what it sent")
    func killedServer() async throws {
        let server = try OpenSSLProcess(
            ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev"] + self.certificate("scheduler")
        )
        let client = try await SocketClient(self.contexts.client(), port: server.port(), serverName: "localhost")
        try await client.send("stressed\n")
        _ = try await client.answer.get()
        server.kill()
        let outcome = try await client.outcome.get()
        #expect(outcome.codes == [.truncated])
    }

    private func certificate(_ name: String) -> [String] {
        let identity = self.contexts.certificates.identity(name)
        return ["-cert", identity.chain, "-key", identity.key]
    }
}
