import NIOCore
import NIOEmbedded
import ProtoTLS
import Testing

/// Sessions that are resumed, and those that must not be.
struct ResumptionTests {
    let contexts: TestContexts

    init() throws {
        self.contexts = try TestContexts()
    }

    /// Connects, and closes in order, so that the tickets have arrived. The two sides agree on whether it was resumed.
    private func connect(
        _ client: TLSContext,
        _ server: TLSContext,
        serverName: String? = "localhost",
        peerURI: String? = nil
    ) throws -> TLSPeer? {
        let pair = try TestPair(client: client, server: server, serverName: serverName, peerURI: peerURI)
        try pair.connect()
        let peer = pair.server.handler.peer
        #expect(peer?.isResumed == pair.client.handler.peer?.isResumed)
        if let name = pair.client.handler.peer?.certificate?.dnsNames { #expect(name == ["localhost"]) }
        pair.client.channel.close(promise: nil)
        try pair.carry()
        return peer
    }

    @Test("T-26 a second connection resumes the session, with the identity of the first", arguments: [true, false])
    func resumes(isTLS13: Bool) throws {
        let client = try self.contexts.client("gateway") { if !isTLS13 { $0.minimumVersion = .tls12 } }
        let server = try self.contexts.server(mutual: true)
        let first = try #require(try self.connect(client, server))
        let second = try #require(try self.connect(client, server))
        let third = try #require(try self.connect(client, server))
        #expect(!first.isResumed && second.isResumed && third.isResumed)
        #expect(second.certificate?.uris == ["spiffe://backfill/gateway"])
        #expect(second.certificate == first.certificate)
    }

    @Test("T-26 sessions are not resumed when a side does not want it", arguments: [true, false])
    func switchedOff(isClients: Bool) throws {
        let client = try self.contexts.client { $0.resumesSessions = !isClients }
        let server = try self.contexts.server { $0.resumesSessions = isClients }
        for _ in 0..<2 {
            let peer = try #require(try self.connect(client, server))
            #expect(!peer.isResumed)
        }
    }

    @Test("T-26 a session is not resumed under a name it was not checked for")
    func otherName() throws {
        let client = try self.contexts.client()
        let server = try self.contexts.server()
        _ = try self.connect(client, server)
        #expect(try self.connect(client, server, serverName: "elsewhere.test") == nil)
        #expect(try self.connect(client, server, peerURI: "spiffe://backfill/gateway") == nil)
        #expect(try self.connect(client, server)?.isResumed == true)
    }

    @Test("T-26 a session ends with the server's context", arguments: [true, false])
    func otherContext(isClients: Bool) throws {
        let client = try self.contexts.client("gateway")
        let server = try self.contexts.server(mutual: true)
        _ = try self.connect(client, server)
        let next =
            isClients
            ? try self.connect(self.contexts.client("gateway"), server)
            : try self.connect(client, self.contexts.server(mutual: true))
        #expect(try #require(next).isResumed == false)
    }
}
