import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import ProtoTLS

/// Hummingbird's HTTP/1 channel with TLS before it if there is a certificate, and with this gateway's own handling of
/// refusals, 100 Continue and time limits, and of online requests.
struct GatewayHTTPChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let http1: HTTP1Channel
    private let limits: HTTPLimits
    private let keys: KeyCheck
    private let accessLog: AccessLog
    private let online: OnlineService
    private let tls: TLSContextSource?
    private let budget: TransferBudget

    init(
        responder: @escaping HTTPChannelHandler.Responder,
        limits: HTTPLimits,
        keys: KeyCheck,
        accessLog: AccessLog,
        online: OnlineService,
        tls: TLSContextSource?,
        budget: TransferBudget
    ) {
        let decoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: limits.maximumHeaderFieldBytes,
            maxHeaderListSize: limits.maximumHeaderBytes,
            maxHeaderFieldCount: limits.maximumHeaderFields
        )
        self.http1 = HTTP1Channel(
            responder: responder,
            configuration: .init(httpDecoderConfiguration: decoder)
        )
        self.limits = limits
        self.keys = keys
        self.accessLog = accessLog
        self.online = online
        self.tls = tls
        self.budget = budget
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        do {
            try channel.syncOptions?.setOption(.recvAllocator, value: SharedReceiveAllocator(budget: self.budget))
            try self.addTLS(channel)
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
        return self.http1.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let parser = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let connection = HTTPConnectionHandler(
                limits: self.limits,
                keys: self.keys,
                accessLog: self.accessLog,
                online: self.online,
                wire: try pipeline.context(handlerType: HTTPResponseEncoder.self)
            )
            try pipeline.addHandler(connection, position: .after(parser))
            return value
        }
    }

    private func addTLS(_ channel: any Channel) throws {
        guard let tls = self.tls else { return }
        var limits = TLSLimits()
        limits.handshake = self.limits.handshakeTimeout
        try channel.pipeline.syncOperations.addHandler(
            TLSHandler(context: tls.current, role: .server, limits: limits)
        )
    }

    func handle(value: Value, logger: Logger) async {
        await self.http1.handle(value: value, logger: logger)
    }
}
