import FailPoints
import Logging
import NIOCore
import ProtoFraming
import ProtoMessages

/// Carries out what the state machine of a connection decides. Bound to the channel's event loop.
final class ServerConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// Set right after creation, cleared when the channel is gone.
    var connection: ServerConnection?

    private let router: RPCRouter
    private let limits: RPCServerLimits
    private let logger: Logger
    private var decoder: FrameDecoder
    private var machine: ServerConnectionStateMachine<ServerCall>
    private let writer = FrameWriter()
    private var headerWatch = HeaderWatch()
    private let bodyWatch: BodyWatch
    private var context: ChannelHandlerContext?
    private var accepted: [ServerCall] = []
    private var answers: [ServerAnswer] = []
    private var timer: Scheduled<Void>?
    private var drainTimer: Scheduled<Void>?
    private var readIsHeld = false
    private var held = HeldFrame()
    private var isClosing = false

    init(configuration: RPCServerConfiguration, router: RPCRouter, logger: Logger) {
        self.router = router
        self.limits = configuration.limits
        self.logger = logger
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
    }

    private func readFrames(_ context: ChannelHandlerContext) {
        do throws(FrameError) {
            while self.held.frame == nil, let event = try self.decoder.next() {
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
        context.fireChannelReadComplete()
    }

    private func endRead(_ context: ChannelHandlerContext) {
        if !self.accepted.isEmpty {
            self.connection?.begin(self.accepted)
            self.accepted.removeAll(keepingCapacity: true)
        }
        self.writer.flush(to: context)
        self.watchPace(context)
    }

    /// A peer may be slow only while it is the server that does not read on.
    private func watchPace(_ context: ChannelHandlerContext) {
        if self.held.frame == nil, !self.readIsHeld {
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
        if context.channel.isWritable, self.held.frame == nil {
            context.read()
        } else {
            self.readIsHeld = true
            self.watchPace(context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.readOn(context)
        context.fireChannelWritabilityChanged()
    }

    private func readOn(_ context: ChannelHandlerContext) {
        if self.readIsHeld, context.channel.isWritable, self.held.frame == nil {
            self.readIsHeld = false
            self.watchPace(context)
            context.read()
        }
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
                frame: frame,
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
        frame: Frame? = nil,
        context: ChannelHandlerContext
    ) {
        switch action {
        case .answer(let error, let call): self.fail(streamID, error, cancelling: call, context: context)
        case .deliver(let call):
            if let frame { self.deliver(frame, to: call, context: context) }
        case .ignore: break
        }
    }

    private func start(_ frame: Frame, context: ChannelHandlerContext) {
        do throws(RPCError) {
            let request = try self.envelope(of: frame)
            let entry = try self.router.entry(service: request.service, method: request.method)
            if let refusal = self.connection?.caller.refusal(of: request, allowed: entry.roles) { throw refusal }
            if let refusal = ServerStreamStateMachine.refusal(of: frame.flags, kind: entry.kind) { throw refusal }
            if case .immediate(let handler) = entry.run {
                let data = try handler(request.payload, self)
                self.writer.append(data, type: .response, streamID: frame.streamID, to: context)
            } else {
                try self.start(request, entry, frame: frame, context: context)
            }
        } catch {
            self.machine.refused(streamID: frame.streamID, flags: frame.flags)
            self.fail(frame.streamID, error, cancelling: nil, context: context)
        }
    }

    private func envelope(of frame: Frame) throws(RPCError) -> RequestEnvelope {
        do throws(EnvelopeError) {
            return try RequestEnvelope(reading: frame.data, limits: self.limits.envelope)
        } catch {
            throw RPCError(error)
        }
    }

    private func start(
        _ request: RequestEnvelope,
        _ entry: RPCRouter.Entry,
        frame: Frame,
        context: ChannelHandlerContext
    ) throws(RPCError) {
        guard let connection = self.connection else { return }
        let now = context.eventLoop.now
        let call = ServerCall(
            streamID: frame.streamID,
            request: request,
            entry: entry,
            stream: entry.kind == .unary
                ? nil : self.stream(entry.kind, opened: frame, request.payload, connection),
            now: now,
            connection: connection
        )
        let action = self.machine.start(
            call,
            streamID: frame.streamID,
            isStream: call.stream != nil,
            timeoutNanoseconds: request.timeoutNanoseconds,
            now: now
        )
        switch action {
        case .run(let deadline):
            self.accepted.append(call)
            if let deadline { self.setTimer(deadline, context: context) }
        case .answer(let error):
            throw error
        }
    }

    private func stream(
        _ kind: StreamKind,
        opened frame: Frame,
        _ payload: ByteBuffer,
        _ connection: ServerConnection
    ) -> ServerStream {
        ServerStream(
            ServerStreamStateMachine(kind: kind, flags: frame.flags, payload: payload),
            streamID: frame.streamID,
            maximumDataBytes: self.limits.frame.maximumDataBytes,
            connection: connection
        )
    }

    private func fail(
        _ streamID: UInt32,
        _ error: RPCError,
        cancelling call: ServerCall?,
        context: ChannelHandlerContext
    ) {
        call?.end(error)
        let data = FrameEncoding.failure(error, maximumDataBytes: self.limits.frame.maximumDataBytes)
        self.writer.append(data, type: .response, streamID: streamID, to: context)
    }

    // MARK: - Data of streams

    private func deliver(_ frame: Frame, to call: ServerCall, context: ChannelHandlerContext) {
        guard let state = call.stream?.state else { return }
        switch state.withMachine({ $0.dataReceived(flags: frame.flags, data: frame.data) }) {
        case .accepted:
            break
        case .windowFull:
            let patience = TimeAmount(clamping: self.limits.fullStreamPatience)
            self.held.hold(frame, patience: patience, on: context.eventLoop) { self.patienceEnded() }
        case .answer(let error, let cancel):
            self.answer(frame.streamID, error, cancel: cancel, context: context)
        }
    }

    private func answer(_ streamID: UInt32, _ error: RPCError, cancel: Bool, context: ChannelHandlerContext) {
        let call = self.machine.answered(streamID: streamID)
        self.fail(streamID, error, cancelling: cancel ? call : nil, context: context)
    }

    /// A handler has made room, or the stream of the held frame may have ended: the frame is tried again.
    func resumeReading() {
        guard let context = self.context, self.retryHeldFrame(context) else { return }
        self.goOn(context)
    }

    /// Gives false when no frame is held, or it is still.
    private func retryHeldFrame(_ context: ChannelHandlerContext) -> Bool {
        guard let frame = self.held.take() else { return false }
        self.received(frame, context: context)
        guard self.held.frame == nil else { return false }
        self.held.settled()
        return true
    }

    private func goOn(_ context: ChannelHandlerContext) {
        self.readFrames(context)
        self.endRead(context)
        self.readOn(context)
        self.closeIfDrained(context)
    }

    /// The held frame found no room in time.
    private func patienceEnded() {
        guard let context = self.context else { return }
        if !self.retryHeldFrame(context), let frame = self.held.take() {
            self.held.settled()
            if let call = self.machine.answered(streamID: frame.streamID),
                case .answer(let error, _) = call.stream?.state.withMachine({ $0.windowExceeded() })
            {
                self.fail(frame.streamID, error, cancelling: call, context: context)
            }
        }
        self.goOn(context)
    }

    // MARK: - Answers

    /// Sends what calls have handed over since the last time, in one flush.
    func sendAnswers() {
        guard let context = self.context, let connection = self.connection else { return }
        connection.takeAnswers(into: &self.answers)
        var messageBytes = 0
        for answer in self.answers {
            switch answer.kind {
            case .unary:
                if self.machine.finished(streamID: answer.streamID) == .sendAnswer {
                    self.writer.append(answer.data, type: .response, streamID: answer.streamID, to: context)
                }
            case .message(let stream):
                messageBytes += answer.data.readableBytes
                guard let flags = stream.state.withMachine({ $0.send() }) else { continue }
                self.writer.append(answer.data, type: .data, flags: flags, streamID: answer.streamID, to: context)
            case .end(let stream, let failed):
                self.end(stream, answer.data, failed: failed, context: context)
            }
        }
        self.answers.removeAll(keepingCapacity: true)
        self.writer.flush(to: context, releasing: messageBytes, of: connection.outbound)
        FailPoint.reach("rpc.after_reply")
        self.closeIfDrained(context)
    }

    private func end(_ stream: ServerStream, _ data: ByteBuffer, failed: Bool, context: ChannelHandlerContext) {
        let mayAnswer = self.machine.finished(streamID: stream.streamID) == .sendAnswer
        guard let terminal = stream.state.withMachine({ $0.finish(failed: failed) }), mayAnswer else { return }
        switch terminal {
        case .endOfData:
            self.writer.append(
                ByteBuffer(),
                type: .data,
                flags: .endOfData,
                streamID: stream.streamID,
                to: context
            )
        case .response:
            self.writer.append(data, type: .response, streamID: stream.streamID, to: context)
        }
        // A frame that waits for room on this stream has nobody to wait for.
        if self.held.frame?.streamID == stream.streamID { self.resumeReading() }
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
        self.resumeReading()
        self.closeIfDrained(context)
    }

    // MARK: - The end

    func drain(timeout: TimeAmount) {
        guard let context = self.context else { return }
        self.machine.drain()
        let notice = Drain(
            lastAcceptedStreamID: self.machine.lastStreamID,
            remainingMilliseconds: UInt64(clamping: timeout.nanoseconds / 1_000_000)
        )
        self.connection?.drainNotice.post(notice)
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
        let lost = RPCError(code: .cancelled, message: "the client is gone")
        for call in self.machine.connectionClosed() {
            call.end(lost)
        }
        _ = self.held.take()
        self.held.settled()
        self.timer?.cancel()
        self.drainTimer?.cancel()
        self.headerWatch.cancel()
        self.bodyWatch.cancel()
        self.accepted = []
        self.connection?.closed()
        self.connection = nil
        self.context = nil
    }
}

extension ServerConnectionHandler: SessionPeer {
    var isDraining: Bool { self.machine.isDraining }

    func cancelStream(_ streamID: UInt32) -> Bool {
        guard let context = self.context, let call = self.machine.answered(streamID: streamID) else { return false }
        let error = RPCError(code: .cancelled, message: "the caller cancelled the call")
        self.fail(streamID, error, cancelling: call, context: context)
        return true
    }
}
