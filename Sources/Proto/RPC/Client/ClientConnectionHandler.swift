import Logging
import NIOCore
import ProtoFraming

/// Carries out what the state machine of a connection decides. Bound to the channel's event loop.
final class ClientConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Set right after creation, cleared when the channel is gone.
    var connection: ClientConnection?

    private let maximumDataBytes: Int
    private let logger: Logger
    private var decoder: FrameDecoder
    private var machine: ClientConnectionStateMachine<ClientCall>
    private var writer = FrameWriter()
    private var context: ChannelHandlerContext?
    private var batch: [ClientConnection.Submission] = []
    private var timer: Scheduled<Void>?
    private var retireTimer: Scheduled<Void>?
    private var wasAnswered = false

    init(configuration: RPCClientConfiguration, logger: Logger) {
        self.maximumDataBytes = configuration.frame.maximumDataBytes
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
        do throws(FrameError) {
            while let event = try self.decoder.next() {
                switch event {
                case .frame(let frame): self.received(frame)
                case .oversized(let header): self.receivedOversized(header)
                }
            }
        } catch {
            self.logger.warning("a connection is closed", metadata: ["reason": "\(error)"])
            context.close(promise: nil)
        }
        self.machine.bytesReceived(now: context.eventLoop.now)
        self.closeIfDone(context)
    }

    // MARK: - Frames

    private func received(_ frame: Frame) {
        switch frame.type {
        case .response:
            if !self.wasAnswered {
                self.wasAnswered = true
                self.connection?.gotAnswer()
            }
            // Nobody waits any more when the caller gave up: the late answer is dropped.
            guard let call = self.machine.responseReceived(streamID: frame.streamID) else { return }
            call.finish(ResponseEnvelope.outcome(reading: frame.data))
        case .data:
            let call = self.machine.dataReceived(streamID: frame.streamID)
            call?.fail(.internal, "the server answered a unary call with a stream")
        default:
            // Requests are a client's to send; like unknown types they are passed over.
            break
        }
    }

    private func receivedOversized(_ header: FrameHeader) {
        let call = self.machine.oversizedReceived(header)
        call?.fail(
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
        for submission in self.batch {
            switch submission {
            case .start(let call, let data):
                self.start(call, data, context: context)
            case .forget(let call):
                if let streamID = call.streamID { self.machine.forget(streamID: streamID) }
            }
        }
        self.batch.removeAll(keepingCapacity: true)
        self.writer.flush(to: context)
        if self.machine.isWornOut { connection.end() }
        self.closeIfDone(context)
    }

    private func start(_ call: ClientCall, _ data: ByteBuffer, context: ChannelHandlerContext) {
        switch self.machine.start(call, deadline: call.deadline, now: context.eventLoop.now) {
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

    private func setTimer(_ deadline: NIODeadline, context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timerFired()
        }
    }

    private func timerFired() {
        guard let context = self.context else { return }
        let expiry = self.machine.timerFired(now: context.eventLoop.now)
        for call in expiry.expired {
            call.fail(.deadlineExceeded, "the deadline has passed")
        }
        if let deadline = expiry.setTimer { self.setTimer(deadline, context: context) }
        if expiry.isSilent {
            self.logger.warning("a connection is closed", metadata: ["reason": "the server does not answer at all"])
            context.close(promise: nil)
        }
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
        for call in self.machine.connectionClosed() {
            call.fail(.unavailable, message)
        }
        self.connection?.closed()
        self.connection = nil
        self.context = nil
    }
}
