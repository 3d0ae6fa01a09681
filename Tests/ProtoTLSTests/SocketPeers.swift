import NIOCore
import NIOPosix
import ProtoTLS

/// What one end of a connection has seen until it was closed.
struct ConnectionOutcome: Sendable {
    var received: [UInt8] = []
    var codes: [TLSError.Code] = []
    var peer: TLSPeer?
}

/// Collects an outcome, and echoes if it is a server's.
final class OutcomeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let echoes: Bool
    private let outcome: EventLoopPromise<ConnectionOutcome>
    private let line: EventLoopPromise<String>?
    private var seen = ConnectionOutcome()

    init(echoes: Bool, outcome: EventLoopPromise<ConnectionOutcome>, line: EventLoopPromise<String>? = nil) {
        self.echoes = echoes
        self.outcome = outcome
        self.line = line
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = self.unwrapInboundIn(data)
        self.seen.received += buffer.readableBytesView
        if self.echoes { context.writeAndFlush(self.wrapOutboundOut(buffer), promise: nil) }
        if self.seen.received.last == UInt8(ascii: "\n") {
            self.line?.succeed(String(decoding: self.seen.received, as: UTF8.self))
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let completed = event as? TLSHandshakeCompleted { self.seen.peer = completed.peer }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? TLSError { self.seen.codes.append(error.code) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.outcome.succeed(self.seen)
        self.line?.fail(ChannelError.eof)
    }
}

/// A server for one connection.
struct SocketServer {
    let outcome: EventLoopFuture<ConnectionOutcome>
    let address: String
    let port: Int
    private let channel: any Channel

    init(_ context: TLSContext) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let promise = group.next().makePromise(of: ConnectionOutcome.self)
        self.outcome = promise.futureResult
        self.channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        TLSHandler(context: context, role: .server),
                        OutcomeHandler(echoes: true, outcome: promise)
                    )
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
        self.address = "127.0.0.1:\(self.port)"
    }

    func close() async throws {
        try await self.channel.close()
    }
}

/// A client with one connection to this machine.
struct SocketClient {
    let outcome: EventLoopFuture<ConnectionOutcome>
    /// What has come when it ends with a line feed.
    let answer: EventLoopFuture<String>
    let channel: any Channel

    init(_ context: TLSContext, port: Int, serverName: String, limits: TLSLimits = TLSLimits()) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let outcome = loop.makePromise(of: ConnectionOutcome.self)
        let answer = loop.makePromise(of: String.self)
        self.outcome = outcome.futureResult
        self.answer = answer.futureResult
        self.channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        TLSHandler(context: context, role: .client, serverName: serverName, limits: limits),
                        OutcomeHandler(echoes: false, outcome: outcome, line: answer)
                    )
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ text: String) async throws {
        try await self.channel.writeAndFlush(ByteBuffer(string: text))
    }

    func close() async throws {
        try await self.channel.close()
    }
}
