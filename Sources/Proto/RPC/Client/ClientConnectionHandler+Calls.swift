import Logging
import NIOCore
import ProtoFraming
import ProtoMessages

// Calls and streams on their way to the server, and those whose time is over.
extension ClientConnectionHandler {
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
            case .startCallback(let callback, let data):
                self.start(callback, data, context: context)
            case .forget(let call):
                if let streamID = call.streamID { self.machine.forget(streamID: streamID) }
            case .open(let stream, let data):
                self.open(stream, data, context: context)
            case .message(let stream, let data):
                messageBytes += data.readableBytes
                self.send(data, on: stream, flags: stream.state.withMachine { $0.send() }, context: context)
            case .messages(let stream):
                let messages = stream.takeMessages()
                messageBytes += messages.messageBytes
                guard stream.state.withMachine({ $0.send() }) != nil else { continue }
                for frames in messages.frames { self.writer.append(frames: frames, to: context) }
            case .halfClose(let stream):
                let flags = stream.state.withMachine { $0.halfClose() }
                self.send(ByteBuffer(), on: stream, flags: flags, context: context)
            case .leave(let stream):
                self.leave(stream, context: context)
            case .begin(let stream): self.begin(stream)
            case .goOn(let stream): self.send(stream)
            case .leaveEvents(let stream): self.leave(stream)
            }
        }
        self.batch.removeAll(keepingCapacity: true)
        self.writer.flush(to: context, releasing: messageBytes, of: connection.outbound)
        self.endSending(context)
    }

    private func endSending(_ context: ChannelHandlerContext) {
        if self.machine.isWornOut { self.connection?.end() }
        self.resumeReading()
        self.closeIfDone(context)
    }

    /// A call from the event loop, without a hop: its request is encoded behind those that wait for the next flush, which
    /// comes when the loop has done what it is at, so that calls made in one turn go out together.
    ///
    /// - Throws: why it was not sent.
    func start(
        _ callback: ClientCallback,
        _ head: FrameEncoding.Head,
        _ request: some ProtoMessage,
        now: NIODeadline
    ) throws(RPCError) {
        guard let context = self.context else { throw callback.connection.isClosedError }
        switch self.machine.start(.callback(callback), deadline: callback.deadline, now: now) {
        case .send(let streamID, let deadline):
            do throws(RPCError) {
                try self.writer.append(to: context) { buffer throws(RPCError) in
                    try FrameEncoding.append(
                        request,
                        in: EnvelopeFields(of: head),
                        behind: .init(streamID: streamID, type: .request),
                        maximumDataBytes: self.maximumDataBytes,
                        to: &buffer
                    )
                }
            } catch {
                self.machine.forget(streamID: streamID)
                throw error
            }
            if let deadline { self.setTimer(deadline, context: context) }
            self.flushSoon(context)
        case .refuse(let error):
            throw error
        }
    }

    func flushSoon(_ context: ChannelHandlerContext) {
        guard !self.willFlush else { return }
        self.willFlush = true
        context.eventLoop.assumeIsolated().execute {
            self.willFlush = false
            guard let context = self.context else { return }
            self.writer.flush(to: context)
            self.endSending(context)
        }
    }

    private func start(_ callback: ClientCallback, _ data: ByteBuffer, context: ChannelHandlerContext) {
        switch self.machine.start(.callback(callback), deadline: callback.deadline, now: context.eventLoop.now) {
        case .send(let streamID, let deadline):
            self.writer.append(data, type: .request, streamID: streamID, to: context)
            if let deadline { self.setTimer(deadline, context: context) }
        case .refuse(let error):
            callback.finish(.failure(error))
        }
    }

    func start(_ call: ClientCall, _ data: ByteBuffer, context: ChannelHandlerContext) {
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

    func open(_ stream: ClientStream, _ data: ByteBuffer, context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        let action = self.machine.start(
            .stream(stream),
            isStream: true,
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

    func send(
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
    func leave(_ stream: ClientStream, context: ChannelHandlerContext) {
        stream.fail(RPCError(code: .cancelled, message: "the caller left the stream"), atOnce: true)
        guard let streamID = stream.streamID, self.machine.forget(streamID: streamID), self.speaksSession else {
            return
        }
        let request = CancelRequest(streamID: streamID, reason: "the caller left the stream")
        self.sendUnwatched(SessionService.cancel, request, context: context)
    }

    func setTimer(_ deadline: NIODeadline, context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timerFired()
        }
    }

    func timerFired() {
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
        self.tellArrivals()
        self.readOn(context)
        self.closeIfDone(context)
    }
}
