import Logging
import NIOCore
import ProtoFraming

/// Carries out what the state machine of a connection decides. Bound to the channel's event loop.
final class ServerConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// Set right after creation, cleared when the channel is gone.
    var connection: ServerConnection?

    let router: RPCRouter
    let limits: RPCServerLimits
    let logger: Logger
    // What each frame touches: the checks cost more than the accesses, none of which is left while another begins.
    @exclusivity(unchecked) var decoder: FrameDecoder
    @exclusivity(unchecked) var machine: ServerConnectionStateMachine<RunningCall>
    /// When the frames that are taken now were read: one look at the clock for all of them.
    @exclusivity(unchecked) var readAt = NIODeadline.uptimeNanoseconds(0)
    let writer = FrameWriter()
    var headerWatch = HeaderWatch()
    let bodyWatch: BodyWatch
    var context: ChannelHandlerContext?
    /// Calls whose tasks are begun once all that has come is taken in.
    var accepted: [ServerCall] = []
    var acceptedOnLoop: [ServerCall] = []
    var answers: [ServerAnswer] = []
    /// Streams whose responders may have something to send after this turn.
    var woken: [RPCStreamWaker] = []
    /// Streams that wait for their next turn.
    var waitingForTurn: [RPCStreamWaker] = []
    var timer: Scheduled<Void>?
    /// Whether the client has asked to be told when the server is about to stop.
    var isWatched = false
    let drainNoticeTimeout: TimeAmount
    var drainDeadline = NIODeadline.distantFuture
    var drainTimer: Scheduled<Void>?
    var noticeTimer: Scheduled<Void>?
    /// nil unless the client has said that it pings.
    var silence: KeepAliveStateMachine?
    var silenceTimer: Scheduled<Void>?
    var held = HeldFrame()
    var isClosing = false

    init(configuration: RPCServerConfiguration, router: RPCRouter, logger: Logger) {
        self.router = router
        self.limits = configuration.limits
        self.logger = logger
        self.drainNoticeTimeout = TimeAmount(clamping: configuration.drainNoticeTimeout)
        self.decoder = FrameDecoder(limits: configuration.limits.frame)
        self.bodyWatch = BodyWatch(limits: configuration.limits)
        self.machine = ServerConnectionStateMachine(
            maximumStreams: configuration.limits.maximumStreams,
            strictStreamIDs: configuration.strictStreamIDs
        )
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.finish()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.logger.debug("a connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isClosing else { return }
        self.decoder.append(self.unwrapInboundIn(data))
        self.readFrames(context)
        self.silence?.active(now: self.readAt)
    }

    func readFrames(_ context: ChannelHandlerContext) {
        self.readAt = context.eventLoop.now
        do throws(FrameError) {
            while self.held.frame == nil {
                if let run = self.decoder.run(), self.take(run, context: context) { continue }
                guard let event = try self.decoder.next() else { return }
                switch event {
                case .frame(let frame): self.received(frame, context: context)
                case .oversized(let header): self.receivedOversized(header, context: context)
                }
            }
        } catch {
            self.logger.info("a connection is closed", metadata: ["reason": "\(error)"])
            self.isClosing = true
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.endRead(context)
        self.closeIfDrained(context)
        context.fireChannelReadComplete()
    }

    func endRead(_ context: ChannelHandlerContext) {
        self.beginAccepted(&self.accepted, on: .threads)
        self.beginAccepted(&self.acceptedOnLoop, on: .eventLoop)
        let messageBytes = self.sendMessagesOfWoken(context)
        if let connection = self.connection {
            self.writer.flush(to: context, releasing: messageBytes, of: connection.outbound)
        }
        self.readingChanged(context)
    }

    private func beginAccepted(_ calls: inout [ServerCall], on place: RPCTaskPlace) {
        guard !calls.isEmpty else { return }
        self.connection?.begin(calls, on: place)
        calls.removeAll(keepingCapacity: true)
    }

    /// A peer may be slow only while it is the server that does not read on.
    func readingChanged(_ context: ChannelHandlerContext) {
        if self.held.frame == nil, !self.held.readIsHeld {
            self.headerWatch.update(self.decoder, timeout: self.limits.headerTimeout, context: context)
            self.bodyWatch.update(self.decoder, context: context)
        } else {
            self.headerWatch.cancel()
            self.bodyWatch.pause()
        }
    }

    /// With more queued than allowed nothing is read, so that a client that does not take its answers cannot ask for
    /// more; nor while a frame waits for room on its stream.
    func read(context: ChannelHandlerContext) {
        self.readWhenPossible(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.readOn(context)
        context.fireChannelWritabilityChanged()
    }
}
