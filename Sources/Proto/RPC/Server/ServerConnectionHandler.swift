import FailPoints
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

    private let limits: RPCServerLimits
    private let logger: Logger
    private var decoder: FrameDecoder
    private var machine: ServerConnectionStateMachine<ServerCall>
    private var writer = FrameWriter()
    private var headerWatch = HeaderWatch()
    private var context: ChannelHandlerContext?
    private var accepted: [ServerCall] = []
    private var answers: [ServerAnswer] = []
    private var timer: Scheduled<Void>?
    private var drainTimer: Scheduled<Void>?
    private var readIsHeld = false
    private var isClosing = false

    init(configuration: RPCServerConfiguration, logger: Logger) {
        self.limits = configuration.limits
        self.logger = logger
        self.decoder = FrameDecoder(limits: configuration.limits.frame)
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
        do throws(FrameError) {
            while let event = try self.decoder.next() {
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
        if !self.accepted.isEmpty {
            self.connection?.begin(self.accepted)
            self.accepted.removeAll(keepingCapacity: true)
        }
        self.writer.flush(to: context)
        self.headerWatch.update(self.decoder, timeout: self.limits.headerTimeout, context: context)
        context.fireChannelReadComplete()
    }

    /// With more queued than allowed nothing is read, so that a client that does not take its answers cannot ask for
    /// more.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            context.read()
        } else {
            self.readIsHeld = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.readIsHeld, context.channel.isWritable {
            self.readIsHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: - Frames

    private func received(_ frame: Frame, context: ChannelHandlerContext) {
        switch frame.type {
        case .request:
            switch self.machine.requestReceived(streamID: frame.streamID, flags: frame.flags) {
            case .readEnvelope: self.start(frame, context: context)
            case .answer(let error, let call): self.fail(frame.streamID, error, cancelling: call, context: context)
            case .ignore: break
            }
        case .data:
            self.act(
                self.machine.dataReceived(streamID: frame.streamID, flags: frame.flags),
                on: frame.streamID,
                context: context
            )
        default:
            // Responses are a server's to send; like unknown types they are passed over.
            break
        }
    }

    private func receivedOversized(_ header: FrameHeader, context: ChannelHandlerContext) {
        let maximum = self.limits.frame.maximumDataBytes
        self.act(
            self.machine.oversizedReceived(header, maximumDataBytes: maximum),
            on: header.streamID,
            context: context
        )
    }

    private func act(
        _ action: ServerConnectionStateMachine<ServerCall>.FrameAction,
        on streamID: UInt32,
        context: ChannelHandlerContext
    ) {
        switch action {
        case .answer(let error, let call): self.fail(streamID, error, cancelling: call, context: context)
        case .ignore: break
        }
    }

    private func start(_ frame: Frame, context: ChannelHandlerContext) {
        guard let connection = self.connection else { return }
        let request: RequestEnvelope
        do throws(EnvelopeError) {
            request = try RequestEnvelope(reading: frame.data, limits: self.limits.envelope)
        } catch {
            self.fail(frame.streamID, RPCError(error), cancelling: nil, context: context)
            return
        }
        let now = context.eventLoop.now
        let call = ServerCall(streamID: frame.streamID, request: request, now: now, connection: connection)
        let action = self.machine.start(
            call,
            streamID: frame.streamID,
            timeoutNanoseconds: request.timeoutNanoseconds,
            now: now
        )
        switch action {
        case .run(let deadline):
            self.accepted.append(call)
            if let deadline { self.setTimer(deadline, context: context) }
        case .answer(let error):
            self.fail(frame.streamID, error, cancelling: nil, context: context)
        }
    }

    private func fail(
        _ streamID: UInt32,
        _ error: RPCError,
        cancelling call: ServerCall?,
        context: ChannelHandlerContext
    ) {
        call?.cancel()
        let data = FrameEncoding.failure(error, maximumDataBytes: self.limits.frame.maximumDataBytes)
        self.writer.append(data, type: .response, streamID: streamID, to: context)
    }

    // MARK: - Answers

    /// Sends what calls have handed over since the last time, in one flush.
    func sendAnswers() {
        guard let context = self.context, let connection = self.connection else { return }
        connection.takeAnswers(into: &self.answers)
        for answer in self.answers where self.machine.finished(streamID: answer.streamID) == .sendAnswer {
            self.writer.append(answer.data, type: .response, streamID: answer.streamID, to: context)
        }
        self.answers.removeAll(keepingCapacity: true)
        self.writer.flush(to: context)
        FailPoint.reach("rpc.after_reply")
        self.closeIfDrained(context)
    }

    private func setTimer(_ deadline: NIODeadline, context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timerFired()
        }
    }

    private func timerFired() {
        guard let context = self.context else { return }
        let expiry = self.machine.timerFired(now: context.eventLoop.now)
        for (streamID, call) in expiry.expired {
            self.fail(streamID, .deadlineExceeded, cancelling: call, context: context)
        }
        if let deadline = expiry.setTimer { self.setTimer(deadline, context: context) }
        self.writer.flush(to: context)
        self.closeIfDrained(context)
    }

    // MARK: - The end

    func drain(timeout: TimeAmount) {
        guard let context = self.context else { return }
        self.machine.drain()
        let channel = context.channel
        self.drainTimer?.cancel()
        self.drainTimer = context.eventLoop.scheduleTask(in: timeout) {
            channel.close(promise: nil)
        }
        self.closeIfDrained(context)
    }

    private func closeIfDrained(_ context: ChannelHandlerContext) {
        guard self.machine.shouldClose, !self.isClosing else { return }
        self.isClosing = true
        // An empty write is done when everything before it has reached the socket.
        let channel = context.channel
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: written)
    }

    private func finish() {
        self.machine.connectionClosed()
        self.timer?.cancel()
        self.drainTimer?.cancel()
        self.headerWatch.cancel()
        self.accepted = []
        self.connection?.closed()
        self.connection = nil
        self.context = nil
    }
}
