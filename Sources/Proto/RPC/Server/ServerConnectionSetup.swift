import Logging
import NIOCore
import ProtoTLS

/// Makes a served connection of an accepted socket, after the handshake if there is one.
struct ServerConnectionSetup: Sendable {
    let configuration: RPCServerConfiguration
    let router: RPCRouter
    let registry: ConnectionRegistry
    let sink: AsyncStream<ServerConnection>.Continuation
    let logger: Logger

    /// On the channel's event loop, right after the socket was accepted.
    func begin(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let number = self.registry.reserve(channel) else {
            self.logger.warning("a connection is refused", metadata: ["reason": "too many, or the server stops"])
            return channel.close()
        }
        return channel.eventLoop.makeCompletedFuture {
            do {
                if let tls = self.configuration.tls {
                    try self.secure(channel, number: number, tls)
                } else {
                    try self.serve(channel, number: number, caller: .local)
                }
            } catch {
                self.registry.remove(number)
                throw error
            }
        }
    }

    private func secure(_ channel: any Channel, number: UInt64, _ tls: RPCServerTLS) throws {
        var limits = TLSLimits()
        limits.handshake = TimeAmount(clamping: self.configuration.limits.handshakeTimeout)
        let handler = try TLSHandler(context: tls.source.current, role: .server, limits: limits)
        let observer = TLSHandshakeObserver { result in
            do {
                try self.serve(channel, number: number, caller: tls.access.caller(of: result.get()))
            } catch {
                self.logger.info(
                    "a connection is refused",
                    metadata: ["peer": "\(channel.remoteAddress.map { "\($0)" } ?? "unknown")", "reason": "\(error)"]
                )
                self.registry.remove(number)
                channel.close(promise: nil)
            }
        }
        try channel.pipeline.syncOperations.addHandlers([handler, observer])
    }

    private func serve(_ channel: any Channel, number: UInt64, caller: RPCCaller) throws {
        let connection = try ServerConnection.make(
            on: channel,
            number: number,
            caller: caller,
            configuration: self.configuration,
            router: self.router,
            logger: self.logger
        )
        self.registry.add(connection)
        // After the server's end nobody serves it.
        if case .terminated = self.sink.yield(connection) { throw ChannelError.ioOnClosedChannel }
    }
}
