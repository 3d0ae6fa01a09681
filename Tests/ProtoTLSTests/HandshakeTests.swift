import NIOCore
import NIOEmbedded
import ProtoTLS
import Testing

/// What the two sides know of each other after a handshake.
struct HandshakeTests {
    let contexts: TestContexts

    init() throws {
        self.contexts = try TestContexts()
    }

    @Test("G6-10 both sides name version, cipher and server name, and the client the server's names")
    func identity() throws {
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server())
        try pair.connect()
        let client = try #require(pair.client.recorder.completions.first?.peer)
        #expect(client.version == "TLSv1.3")
        #expect(client.cipher == "TLS_AES_128_GCM_SHA256")
        #expect(client.certificate?.uris == ["spiffe://backfill/scheduler"])
        #expect(client.certificate?.dnsNames == ["localhost"])
        #expect(client == pair.client.handler.peer)
        let server = try #require(pair.server.recorder.completions.first?.peer)
        #expect(server.serverName == "localhost")
        #expect(server.certificate == nil)
        #expect(pair.server.recorder.completions.count == 1)
    }

    @Test("G6-10 a mutual handshake gives the server the client's names")
    func mutual() throws {
        let pair = try TestPair(
            client: self.contexts.client("service-example"),
            server: self.contexts.server(mutual: true)
        )
        try pair.connect()
        let peer = try #require(pair.server.handler.peer)
        #expect(peer.certificate?.uris == ["spiffe://backfill/service/example"])
        #expect(pair.client.recorder.errors.isEmpty)
    }

    @Test("G6-10 a name with a space in it is no identity")
    func oddName() throws {
        let pair = try TestPair(client: self.contexts.client("odd"), server: self.contexts.server(mutual: true))
        try pair.connect()
        #expect(pair.server.handler.peer?.certificate == TLSPeerCertificate(uris: [], dnsNames: ["localhost"]))
    }

    @Test("G6-10 a channel that was closed before its handshake could begin is told as well")
    func closedBefore() throws {
        let channel = EmbeddedChannel()
        var ends: [Result<TLSPeer, any Error>] = []
        let observer = TLSHandshakeObserver { ends.append($0) }
        try channel.pipeline.syncOperations.addHandler(LateAddition(of: observer))
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
        #expect(ends.count == 1)
        #expect(throws: TLSError.self) { try ends.first?.get() }
    }

    @Test("G6-10 an IP address is checked and not sent as a server name")
    func address() throws {
        let pair = try TestPair(
            client: self.contexts.client(),
            server: self.contexts.server(),
            serverName: "127.0.0.1"
        )
        try pair.connect()
        #expect(pair.client.handler.peer?.certificate != nil)
        let server = try #require(pair.server.handler.peer)
        #expect(server.serverName == nil)
    }

    @Test("G6-10 the server's order of application protocols decides")
    func applicationProtocol() throws {
        let pair = try TestPair(
            client: self.contexts.client { $0.applicationProtocols = ["http/1.1", "ttrpc/1.2"] },
            server: self.contexts.server { $0.applicationProtocols = ["ttrpc/1.2", "http/1.1"] }
        )
        try pair.connect()
        #expect(pair.client.handler.peer?.applicationProtocol == "ttrpc/1.2")
        #expect(pair.server.handler.peer?.applicationProtocol == "ttrpc/1.2")
    }

    @Test("G6-10 an application protocol is offered but not needed", arguments: [true, false])
    func applicationProtocolOfOneSide(isClients: Bool) throws {
        let pair = try TestPair(
            client: self.contexts.client { if isClients { $0.applicationProtocols = ["ttrpc/1.2"] } },
            server: self.contexts.server { if !isClients { $0.applicationProtocols = ["ttrpc/1.2"] } }
        )
        try pair.connect()
        let peer = try #require(pair.client.handler.peer)
        #expect(peer.applicationProtocol == nil)
        #expect(pair.server.handler.peer != nil)
    }

    @Test("G6-10 sides with no application protocol in common part")
    func noCommonApplicationProtocol() throws {
        let pair = try TestPair(
            client: self.contexts.client { $0.applicationProtocols = ["h2"] },
            server: self.contexts.server { $0.applicationProtocols = ["http/1.1"] }
        )
        try pair.connect()
        #expect(pair.server.recorder.codes == [.applicationProtocol])
        #expect(pair.client.recorder.codes == [.applicationProtocol])
        #expect(!pair.client.channel.isActive && !pair.server.channel.isActive)
    }

    @Test("G6-11 a handshake that takes longer than its limit ends the connection", arguments: [true, false])
    func timeout(isClients: Bool) throws {
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server())
        let side = isClients ? pair.client : pair.server
        try side.activate()
        side.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4_999))
        #expect(side.recorder.codes == [] && side.channel.isActive)
        side.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(side.recorder.codes == [.handshakeTimeout])
        #expect(!side.channel.isActive)
    }

    @Test("G6-11 after the handshake its limit is no more")
    func timeoutIsOver() throws {
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server())
        try pair.connect()
        pair.client.channel.embeddedEventLoop.advanceTime(by: .hours(1))
        pair.server.channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(pair.client.channel.isActive && pair.server.channel.isActive)
    }

    @Test("G6-10 what is written before the end of the handshake arrives after it, in order")
    func heldWrites() throws {
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server())
        let early = pair.client.send([1, 2])
        let late = pair.client.send([3])
        try pair.connect()
        #expect(pair.server.recorder.received == [1, 2, 3])
        try early.now()
        try late.now()
    }

    @Test("G6-11 no more than the limit is held before the end of the handshake")
    func heldLimit() throws {
        var limits = TLSLimits()
        limits.maximumHeldBytes = 10
        let pair = try TestPair(client: self.contexts.client(), server: self.contexts.server(), limits: limits)
        try pair.client.activate()
        let first = pair.client.send([UInt8](repeating: 1, count: 10))
        #expect(pair.client.channel.isActive)
        let second = pair.client.send([2])
        #expect(pair.client.recorder.codes == [.tooMuchHeld])
        #expect(!pair.client.channel.isActive)
        #expect(throws: TLSError.self) { try first.now() }
        #expect(throws: TLSError.self) { try second.now() }
    }

    @Test("G6-10 a handler is refused a role that its context has no rules for")
    func roles() throws {
        let client = try self.contexts.client()
        #expect(throws: TLSError.self) { try TLSHandler(context: client, role: .server) }
        #expect(throws: TLSError.self) { try TLSHandler(context: client, role: .client) }
        #expect(throws: TLSError.self) { try TLSHandler(context: client, role: .client, serverName: "") }
    }
}

/// Adds a handler once the channel is closed, before the pipeline is.
private final class LateAddition: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let handler: TLSHandshakeObserver

    init(of handler: TLSHandshakeObserver) {
        self.handler = handler
    }

    func channelUnregistered(context: ChannelHandlerContext) {
        try? context.pipeline.syncOperations.addHandler(self.handler)
        context.fireChannelUnregistered()
    }
}
