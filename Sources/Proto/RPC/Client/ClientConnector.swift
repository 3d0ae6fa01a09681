import Logging
import NIOCore
import NIOPosix
import ProtoTLS
import Synchronization

/// Opens connections for one link.
struct ClientConnector: Sendable {
    let endpoint: RPCClient.Endpoint
    let configuration: RPCClientConfiguration
    let logger: Logger

    /// Connects; cancelling the task gives up at once.
    func connect() async throws -> ClientConnection {
        let attempt = Attempt()
        let bootstrap = ClientBootstrap(group: self.configuration.eventLoopGroup)
            .connectTimeout(TimeAmount(clamping: self.configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .times(self.configuration.socketTimes)
            .channelOption(SocketOptions.notSentLowWater, value: SocketOptions.notSentLowWaterBytes)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try attempt.include(channel) }
            }
        return try await withTaskCancellationHandler {
            let channel = try await bootstrap.connect(host: self.endpoint.host, port: self.endpoint.port).get()
            do {
                return try await channel.eventLoop.flatSubmit { self.connection(on: channel) }.get()
            } catch {
                channel.close(promise: nil)
                throw error
            }
        } onCancel: {
            attempt.cancel()
        }
    }

    /// A connection, after the handshake if there is one. On the channel's event loop.
    private func connection(on channel: any Channel) -> EventLoopFuture<ClientConnection> {
        guard let tls = self.configuration.tls else {
            return channel.eventLoop.makeCompletedFuture { try self.setUp(channel) }
        }
        let promise = channel.eventLoop.makePromise(of: ClientConnection.self)
        let observer = TLSHandshakeObserver { result in
            promise.completeWith(result.flatMap { _ in Result { try self.setUp(channel) } })
        }
        do {
            try channel.pipeline.syncOperations.addHandlers([tls.handler(for: self.endpoint), observer])
        } catch {
            promise.fail(error)
        }
        return promise.futureResult
    }

    private func setUp(_ channel: any Channel) throws -> ClientConnection {
        guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
        return try ClientConnection.make(
            on: channel,
            endpoint: self.endpoint,
            configuration: self.configuration,
            logger: self.logger
        )
    }

    /// A short text for callers: which address refused, and how.
    static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let attempt = error.connectionErrors.first { return self.describe(attempt.error) }
            return error.dnsAError.map { "\($0)" } ?? "the name has no address"
        case ChannelError.connectTimeout:
            return "no answer in time"
        default:
            return "\(error)"
        }
    }
}

/// The sockets of an attempt: a name with several addresses tries several.
private final class Attempt: Sendable {
    private struct State {
        var channels: [any Channel] = []
        var isCancelled = false
    }

    private let state = Mutex(State())

    func include(_ channel: any Channel) throws {
        try self.state.withLock { state in
            if state.isCancelled { throw CancellationError() }
            state.channels.append(channel)
        }
    }

    func cancel() {
        let channels = self.state.withLock { state in
            state.isCancelled = true
            return state.channels
        }
        for channel in channels {
            channel.close(promise: nil)
        }
    }
}
