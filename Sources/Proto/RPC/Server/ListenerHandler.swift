import Logging
import NIOCore

/// Keeps a listening socket going when a connection cannot be accepted, as without free file descriptors: it waits a
/// little instead of asking again at once.
final class ListenerHandler: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = Never

    private static let pause = TimeAmount.milliseconds(100)

    private let logger: Logger
    private let closed: @Sendable () -> Void
    private var isPausing = false
    private var readIsHeld = false

    init(logger: Logger, closed: @escaping @Sendable () -> Void) {
        self.logger = logger
        self.closed = closed
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.logger.warning("a connection could not be accepted", metadata: ["error": "\(error)"])
        guard !self.isPausing else { return }
        self.isPausing = true
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPausing = false
            if self.readIsHeld {
                self.readIsHeld = false
                context.read()
            }
        }
    }

    func read(context: ChannelHandlerContext) {
        if self.isPausing {
            self.readIsHeld = true
        } else {
            context.read()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.closed()
        context.fireChannelInactive()
    }
}
