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

    let maximumDataBytes: Int
    let patience: TimeAmount
    let logger: Logger
    // What each frame touches: the checks cost more than the accesses, none of which is left while another begins.
    @exclusivity(unchecked) var decoder: FrameDecoder
    @exclusivity(unchecked) var machine: ClientConnectionStateMachine<ClientCaller>
    /// When the frames that are taken now were read: one look at the clock for all of them, and for the calls that their
    /// callbacks make. nil while none are taken.
    @exclusivity(unchecked) var readAt: NIODeadline?
    let writer = FrameWriter()
    var context: ChannelHandlerContext?
    var batch: [ClientConnection.Submission] = []
    var timer: Scheduled<Void>?
    var retireTimer: Scheduled<Void>?
    var wasAnswered = false
    /// Whether frames of calls from the event loop are about to be flushed.
    var willFlush = false
    var held = HeldFrame()
    /// Streams whose owners are to be told once all that has come is taken in.
    var arrived: [any ClientEventStream] = []
    /// Streams that have something to send and wait for room in the socket.
    var blocked: [any ClientEventStream] = []
    /// Streams that wait for their next turn.
    var waitingForTurn: [any ClientEventStream] = []

    let hello: HelloRequest
    let keepAliveSettings: KeepAlive?
    /// Whether the server has said Hello.
    var speaksSession = false
    /// nil until then.
    var keepAlive: KeepAliveStateMachine?
    var keepAliveTimer: Scheduled<Void>?

    init(configuration: RPCClientConfiguration, logger: Logger) {
        self.hello = SessionMethods.hello(of: configuration)
        self.keepAliveSettings = configuration.keepAlive
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
        let now = context.eventLoop.now
        self.machine.bytesReceived(now: now)
        self.keepAlive?.active(now: now)
        self.readAt = now
        self.readFrames(context)
        self.readAt = nil
        self.closeIfDone(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.tellArrivals()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.sendBlocked() }
        context.fireChannelWritabilityChanged()
    }

    func readFrames(_ context: ChannelHandlerContext) {
        do throws(FrameError) {
            while self.held.frame == nil {
                if let run = self.decoder.run(), self.take(run) { continue }
                guard let event = try self.decoder.next() else { return }
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
            case .callback(let callback): callback.finish(outcome)
            case .stream(let stream): stream.state.withMachine { $0.responseReceived(outcome) }
            case .events(let stream): self.answered(stream, outcome)
            case .session(let call): self.answered(call, outcome, context: context)
            }
        case .data:
            self.receivedData(frame, context: context)
        default:
            // Requests are a client's to send; like unknown types they are passed over.
            break
        }
    }

    func receivedData(_ frame: Frame, context: ChannelHandlerContext) {
        switch self.machine.dataReceived(streamID: frame.streamID) {
        case .ignore:
            break
        case .fail(let caller):
            caller.fail(.internal, "the server answered a unary call with a stream")
        case .deliver(.call), .deliver(.callback):
            // Only streams are started as such.
            break
        case .deliver(.session):
            self.watched(frame, context: context)
        case .deliver(.events(let stream)):
            self.received(frame, for: stream)
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

    /// Takes the messages of a run, or the first of them. False: none was; they are to come one by one.
    private func take(_ run: FrameRun) -> Bool {
        switch self.machine.stream(run.streamID) {
        case .events(let stream):
            self.decoder.consume(run)
            self.received(run, for: stream)
            return true
        case .stream(let stream):
            let taken = stream.state.withMachine { $0.dataReceived(run) }
            self.decoder.consume(run, messages: taken)
            return taken > 0
        default:
            return false
        }
    }

    func receivedOversized(_ header: FrameHeader) {
        let caller = self.machine.oversizedReceived(header)
        caller?.fail(
            .resourceExhausted,
            "an answer of \(header.length) bytes; at most \(self.maximumDataBytes) are taken"
        )
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

    func closeIfDone(_ context: ChannelHandlerContext) {
        if self.machine.shouldClose {
            context.close(promise: nil)
        }
    }

    func finish() {
        self.timer?.cancel()
        self.retireTimer?.cancel()
        self.keepAliveTimer?.cancel()
        // First of all, so that who is told does not choose this connection again.
        self.connection?.end()
        let message = "the connection to \(self.connection?.endpoint.description ?? "the server") was lost"
        self.dropHeldFrame()
        for caller in self.machine.connectionClosed() {
            // Messages that came before are good.
            caller.fail(.unavailable, message, atOnce: false)
        }
        self.tellArrivals()
        self.blocked = []
        self.waitingForTurn = []
        self.connection?.closed()
        self.connection = nil
        self.context = nil
    }
}
