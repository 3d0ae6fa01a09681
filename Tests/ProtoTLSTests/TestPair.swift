import NIOCore
import NIOEmbedded
import ProtoTLS
import TLSTestSupport

/// Keeps what comes out of the TLS handler.
final class Recorder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var received: [UInt8] = []
    private(set) var errors: [any Error] = []
    private(set) var completions: [TLSHandshakeCompleted] = []
    private(set) var inputClosures = 0
    private(set) var isInactive = false

    var codes: [TLSError.Code] {
        self.errors.compactMap { ($0 as? TLSError)?.code }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received += self.unwrapInboundIn(data).readableBytesView
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.errors.append(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let completed = event as? TLSHandshakeCompleted { self.completions.append(completed) }
        if event as? ChannelEvent == .inputClosed { self.inputClosures += 1 }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isInactive = true
    }
}

private struct NotYet: Error {}

extension EventLoopFuture<Void> {
    /// The result, which must be there: to wait on an embedded loop for one that never comes would hang the test.
    func now() throws {
        var result: Result<Void, any Error> = .failure(NotYet())
        self.assumeIsolated().whenComplete { result = $0 }
        try result.get()
    }
}

/// One end of a connection without a socket.
final class Side {
    let channel = EmbeddedChannel()
    let handler: TLSHandler
    let recorder = Recorder()
    private var sawEnd = false

    init(_ handler: TLSHandler) throws {
        self.handler = handler
        try self.channel.pipeline.syncOperations.addHandlers([handler, self.recorder])
    }

    func activate() throws {
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/test")).wait()
    }

    /// Writes and flushes; the answer tells what has become of it.
    @discardableResult
    func send(_ bytes: [UInt8]) -> EventLoopFuture<Void> {
        self.channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// What has gone out as records since the last time.
    func takeRecords() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try self.channel.readOutbound(as: ByteBuffer.self) { bytes += buffer.readableBytesView }
        return bytes
    }

    /// Records from the peer, in pieces of `step` bytes.
    func receive(_ bytes: [UInt8], step: Int = .max) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(step)
            rest = rest.dropFirst(piece.count)
            guard self.channel.isActive else { return }
            try self.channel.writeInbound(ByteBuffer(bytes: piece))
        }
    }

    /// The end of the peer's bytes, as a socket that does not allow half-closure would say it.
    func receiveEnd() {
        guard !self.sawEnd else { return }
        self.sawEnd = true
        if self.channel.isActive { self.channel.pipeline.fireChannelInactive() }
    }
}

/// A client and a server whose bytes the test carries.
struct TestPair {
    let client: Side
    let server: Side

    init(
        client: TLSContext,
        server: TLSContext,
        serverName: String? = "localhost",
        peerURI: String? = nil,
        limits: TLSLimits = TLSLimits()
    ) throws {
        self.server = try Side(TLSHandler(context: server, role: .server, limits: limits))
        self.client = try Side(
            TLSHandler(context: client, role: .client, serverName: serverName, peerURI: peerURI, limits: limits)
        )
    }

    /// Both active, and everything carried until nobody has more to say.
    func connect(step: Int = .max) throws {
        try self.server.activate()
        try self.client.activate()
        try self.carry(step: step)
    }

    /// Carries bytes, and the ends of closed channels, in both directions until there are no more.
    func carry(step: Int = .max) throws {
        while true {
            let toServer = try self.client.takeRecords()
            let toClient = try self.server.takeRecords()
            try self.server.receive(toServer, step: step)
            try self.client.receive(toClient, step: step)
            if toServer.isEmpty, toClient.isEmpty { break }
        }
        if !self.client.channel.isActive { self.server.receiveEnd() }
        if !self.server.channel.isActive { self.client.receiveEnd() }
    }
}

/// Contexts over the shared certificates.
struct TestContexts {
    let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    func server(
        _ name: String = "scheduler",
        mutual: Bool = false,
        _ change: (inout TLSConfiguration) -> Void = { _ in }
    ) throws -> TLSContext {
        let trust = mutual ? self.certificates.trust : nil
        var configuration = TLSConfiguration.server(identity: self.certificates.identity(name), clientTrust: trust)
        change(&configuration)
        return try TLSContext(configuration)
    }

    func client(
        _ name: String? = nil,
        _ change: (inout TLSConfiguration) -> Void = { _ in }
    ) throws -> TLSContext {
        let identity = name.map { self.certificates.identity($0) }
        var configuration = TLSConfiguration.client(trust: self.certificates.trust, identity: identity)
        change(&configuration)
        return try TLSContext(configuration)
    }
}
