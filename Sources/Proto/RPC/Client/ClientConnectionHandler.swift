import Logging
import NIOCore
import ProtoFraming
import ProtoMessages

/// Carries out what the state machine of a connection decides. Bound to the channel's event loop.
final class ClientConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// Set right after creation, cleared when the channel is gone.
    var connection: ClientConnection?

    private let maximumDataBytes: Int
    private let patience: TimeAmount
    private let logger: Logger
    private var decoder: FrameDecoder
    private var machine: ClientConnectionStateMachine<ClientCaller>
    private let writer = FrameWriter()
    private(set) var context: ChannelHandlerContext?
    private var batch: [ClientConnection.Submission] = []
    private var timer: Scheduled<Void>?
    private var retireTimer: Scheduled<Void>?
    private var wasAnswered = false
    var held = HeldFrame()

    init(configuration: RPCClientConfiguration, logger: Logger) {
        self.maximumDataBytes = configuration.frame.maximumDataBytes
        self.patience = TimeAmount(clamping: configuration.fullStreamPatience)
        self.logger = logger
        self.decoder = FrameDecoder(limits: configuration.frame)
        self.machine = ClientConnectionStateMachine(streamIDs: configuration.streamIDs)
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
        self.decoder.append(self.unwrapInboundIn(data))
        self.machine.bytesReceived(now: context.eventLoop.now)
        self.readFrames(context)
        self.closeIfDone(context)
    }

    private func readFrames(_ context: ChannelHandlerContext) {
        do throws(FrameError) {
            while self.held.frame == nil, let event = try self.decoder.next() {
                switch event {
                case .frame(let frame): self.received(frame, context: context)
                case .oversized(let header): self.receivedOversized(header)
                }
            }
        } catch {
            self.logger.warning("a connection is closed", metadata: ["reason": "\(error)"])
            context.close(promise: nil)
        }
    }

    func read(context: ChannelHandlerContext) {
        self.readWhenPossible(context)
    }

    // MARK: - Frames

    func received(_ frame: Frame, context: ChannelHandlerContext) {
        switch frame.type {
        case .response:
            if !self.wasAnswered {
                self.wasAnswered = true
                self.connection?.gotAnswer()
            }
            // Nobody waits any more when the caller gave up: the late answer is dropped.
            guard let caller = self.machine.responseReceived(streamID: frame.streamID) else { return }
            let outcome = ResponseEnvelope.outcome(reading: frame.data)
            switch caller {
            case .call(let call): call.finish(outcome)
            case .stream(let stream): stream.state.withMachine { $0.responseReceived(outcome) }
            }
        case .data:
            self.receivedData(frame, context: context)
        default:
            // Requests are a client's to send; like unknown types they are passed over.
            break
        }
    }

    private func receivedData(_ frame: Frame, context: ChannelHandlerContext) {
        switch self.machine.dataReceived(streamID: frame.streamID) {
        case .ignore:
            break
        case .fail(let caller):
            caller.fail(.internal, "the server answered a unary call with a stream")
        case .deliver(.call):
            // Only streams are started as such.
            break
        case .deliver(.stream(let stream)):
            switch stream.state.withMachine({ $0.dataReceived(flags: frame.flags, data: frame.data) }) {
            case .accepted: break
            case .ended: self.machine.forget(streamID: frame.streamID)
            case .failed: self.leave(stream, context: context)
            case .windowFull:
                self.hold(frame, patience: self.patience, context: context)
            }
        }
    }

    private func receivedOversized(_ header: FrameHeader) {
        let caller = self.machine.oversizedReceived(header)
        caller?.fail(
            .resourceExhausted,
            "an answer of \(header.length) bytes; at most \(self.maximumDataBytes) are taken"
        )
    }

    // MARK: - Calls

    /// Sends what callers have handed over since the last time, in one flush. A call gets its id and is written in one
    /// step, so that ids rise on the wire (G5-01).
    func sendSubmissions() {
        guard let context = self.context, let connection = self.connection else { return }
        connection.takeSubmissions(into: &self.batch)
        var messageBytes = 0
        for submission in self.batch {
            switch submission {
            case .start(let call, let data):
                self.start(call, data, context: context)
            case .forget(let call):
                if let streamID = call.streamID { self.machine.forget(streamID: streamID) }
            case .open(let stream, let data):
                self.open(stream, data, context: context)
            case .message(let stream, let data):
                messageBytes += data.readableBytes
                self.send(data, on: stream, flags: stream.state.withMachine { $0.send() }, context: context)
            case .halfClose(let stream):
                let flags = stream.state.withMachine { $0.halfClose() }
                self.send(ByteBuffer(), on: stream, flags: flags, context: context)
            case .leave(let stream):
                self.leave(stream, context: context)
            }
        }
        self.batch.removeAll(keepingCapacity: true)
        self.writer.flush(to: context, releasing: messageBytes, of: connection.outbound)
        if self.machine.isWornOut { connection.end() }
        self.resumeReading()
        self.closeIfDone(context)
    }

    private func start(_ call: ClientCall, _ data: ByteBuffer, context: ChannelHandlerContext) {
        switch self.machine.start(.call(call), deadline: call.deadline, now: context.eventLoop.now) {
        case .send(let streamID, let deadline):
            guard call.begin(streamID: streamID) else {
                self.machine.forget(streamID: streamID)
                return
            }
            self.writer.append(data, type: .request, streamID: streamID, to: context)
            if let deadline { self.setTimer(deadline, context: context) }
        case .refuse(let error):
            call.finish(.failure(error))
        }
    }

    private func open(_ stream: ClientStream, _ data: ByteBuffer, context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        let action = self.machine.start(
            .stream(stream),
            isStream: true,
            isBackground: stream.isBackground,
            deadline: stream.deadline,
            now: now
        )
        switch action {
        case .send(let streamID, let deadline):
            stream.began(streamID: streamID)
            let flags = stream.state.withMachine { $0.kind.openingFlags }
            self.writer.append(data, type: .request, flags: flags, streamID: streamID, to: context)
            if let deadline { self.setTimer(deadline, context: context) }
        case .refuse(let error):
            stream.fail(error, atOnce: true)
        }
    }

    private func send(
        _ data: ByteBuffer,
        on stream: ClientStream,
        flags: FrameFlags?,
        context: ChannelHandlerContext
    ) {
        guard let flags, let streamID = stream.streamID else { return }
        self.writer.append(data, type: .data, flags: flags, streamID: streamID, to: context)
    }

    /// Nobody waits for a stream any more. A server with the Session service is told; any other goes on until the
    /// stream's deadline (G5-07). It is not half-closed: that would say that all messages were sent.
    private func leave(_ stream: ClientStream, context: ChannelHandlerContext) {
        stream.fail(RPCError(code: .cancelled, message: "the caller left the stream"), atOnce: true)
        guard let streamID = stream.streamID, self.machine.forget(streamID: streamID),
            self.connection?.speaksSession == true
        else { return }
        let head = FrameEncoding.Head(
            service: SessionService.name,
            method: SessionService.cancel.name
        )
        let request = CancelRequest(streamID: streamID, reason: "the caller left the stream")
        guard
            let data = try? FrameEncoding.request(head, request, maximumDataBytes: self.maximumDataBytes),
            let cancelID = self.machine.startUnwatched()
        else { return }
        self.writer.append(data, type: .request, streamID: cancelID, to: context)
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
        for caller in expiry.expired {
            caller.fail(.deadlineExceeded, "the deadline has passed")
        }
        if let deadline = expiry.setTimer { self.setTimer(deadline, context: context) }
        if expiry.isSilent {
            self.logger.warning("a connection is closed", metadata: ["reason": "the server does not answer at all"])
            context.close(promise: nil)
        }
        self.resumeReading()
        self.closeIfDone(context)
    }

    // MARK: - The end

    func retire(timeout: TimeAmount) {
        guard let context = self.context else { return }
        self.machine.retire()
        let channel = context.channel
        self.retireTimer?.cancel()
        self.retireTimer = context.eventLoop.scheduleTask(in: timeout) {
            channel.close(promise: nil)
        }
        self.sendSubmissions()
    }

    private func closeIfDone(_ context: ChannelHandlerContext) {
        if self.machine.shouldClose {
            context.close(promise: nil)
        }
    }

    private func finish() {
        self.timer?.cancel()
        self.retireTimer?.cancel()
        let message = "the connection to \(self.connection?.endpoint.description ?? "the server") was lost"
        self.dropHeldFrame()
        for caller in self.machine.connectionClosed() {
            // Messages that came before are good.
            caller.fail(.unavailable, message, atOnce: false)
        }
        self.connection?.closed()
        self.connection = nil
        self.context = nil
    }
}

extension ClientConnectionHandler: FrameHolder {
    /// However much is queued to be sent: the server may wait for its own answers to be taken.
    func mayRead(_ context: ChannelHandlerContext) -> Bool {
        true
    }

    func fail(heldTooLong frame: Frame, context: ChannelHandlerContext) {
        guard case .deliver(.stream(let stream)) = self.machine.dataReceived(streamID: frame.streamID) else { return }
        stream.fail(.windowExceeded, atOnce: false)
        self.leave(stream, context: context)
        self.writer.flush(to: context)
    }

    func goOn(_ context: ChannelHandlerContext) {
        self.readFrames(context)
        self.readOn(context)
        self.closeIfDone(context)
    }
}
