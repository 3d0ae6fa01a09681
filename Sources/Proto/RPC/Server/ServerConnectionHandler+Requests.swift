import NIOCore
import ProtoFraming
import ProtoMessages

// Frames that come in, and the calls that they begin.
extension ServerConnectionHandler {
    func received(_ frame: Frame, context: ChannelHandlerContext) {
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

    func receivedOversized(_ header: FrameHeader, context: ChannelHandlerContext) {
        let maximum = self.limits.frame.maximumDataBytes
        self.act(
            self.machine.oversizedReceived(header, maximumDataBytes: maximum),
            on: header.streamID,
            context: context
        )
    }

    func act(
        _ action: ServerConnectionStateMachine<RunningCall>.FrameAction,
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

    func start(_ frame: Frame, context: ChannelHandlerContext) {
        do throws(RPCError) {
            let request = try self.envelope(of: frame)
            let entry = try self.router.entry(of: request)
            if let refusal = self.connection?.client.refusal(of: request, allowed: entry.roles) { throw refusal }
            if let refusal = ServerStreamStateMachine.refusal(of: frame.flags, kind: entry.kind) { throw refusal }
            switch entry.run {
            case .immediate(let handler): try handler(request, frame.streamID, self)
            case .events(let kind, let make): try self.start(request, kind, make, frame: frame, context: context)
            case .unary, .stream: try self.start(request, entry, frame: frame, context: context)
            }
        } catch {
            self.machine.refused(streamID: frame.streamID, flags: frame.flags)
            self.fail(frame.streamID, error, cancelling: nil, context: context)
        }
    }

    func envelope(of frame: Frame) throws(RPCError) -> RequestEnvelope {
        do throws(EnvelopeError) {
            return try RequestEnvelope(reading: frame.data, limits: self.limits.envelope)
        } catch {
            throw RPCError(error)
        }
    }

    func start(
        _ request: RequestEnvelope,
        _ entry: RPCRouter.Entry,
        frame: Frame,
        context: ChannelHandlerContext
    ) throws(RPCError) {
        guard let connection = self.connection else { return }
        let now = self.readAt
        let isWatch = entry.isWatch
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
            .task(call),
            streamID: frame.streamID,
            isStream: call.stream != nil,
            isWatch: isWatch,
            timeoutNanoseconds: request.timeoutNanoseconds,
            now: now
        )
        switch action {
        case .run(let deadline):
            switch entry.place {
            case .threads: self.accepted.append(call)
            case .eventLoop: self.acceptedOnLoop.append(call)
            }
            if isWatch { self.isWatched = true }
            if let deadline { self.setTimer(deadline, context: context) }
        case .answer(let error):
            throw error
        }
    }

    /// Starts a call that a responder answers.
    private func start(
        _ request: RequestEnvelope,
        _ kind: StreamKind,
        _ make: RPCRouter.ResponderFactory,
        frame: Frame,
        context: ChannelHandlerContext
    ) throws(RPCError) {
        guard let connection = self.connection else { return }
        let machine = ServerStreamStateMachine(kind: kind, flags: frame.flags, payload: request.payload)
        let call = ServerEventCall(machine, streamID: frame.streamID, connection: connection)
        let action = self.machine.start(
            .events(call),
            streamID: frame.streamID,
            isStream: true,
            timeoutNanoseconds: request.timeoutNanoseconds,
            now: self.readAt
        )
        switch action {
        case .run(let deadline):
            if let deadline { self.setTimer(deadline, context: context) }
            let responder = make(call.waker, self.context(of: request, streamID: frame.streamID))
            self.begin(call, responder, context: context)
        case .answer(let error):
            throw error
        }
    }

    func stream(
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

    func fail(
        _ streamID: UInt32,
        _ error: RPCError,
        cancelling call: RunningCall?,
        context: ChannelHandlerContext
    ) {
        call?.end(error)
        // A responder has ended with its stream; a task has not.
        if case .events = call { _ = self.machine.finished(streamID: streamID) }
        let data = FrameEncoding.failure(error, maximumDataBytes: self.limits.frame.maximumDataBytes)
        self.writer.append(data, type: .response, streamID: streamID, to: context)
    }
}
