import FailPoints
import NIOCore
import ProtoFraming

// Calls that responders answer on the event loop.
extension ServerConnectionHandler {
    /// A call was accepted.
    func begin(_ call: ServerEventCall, _ responder: StreamResponder, context: ChannelHandlerContext) {
        do throws(RPCError) {
            try call.begin(responder)
            self.note(call.waker)
        } catch {
            self.end(call, error, context: context)
        }
    }

    /// A data frame came.
    func deliver(_ frame: Frame, to call: ServerEventCall, context: ChannelHandlerContext) {
        do throws(RPCError) {
            try call.received(frame)
            self.delivered(to: call, failure: nil, context: context)
        } catch {
            self.delivered(to: call, failure: error, context: context)
        }
    }

    /// A responder was told what came, and has perhaps refused it.
    func delivered(to call: ServerEventCall, failure: RPCError?, context: ChannelHandlerContext) {
        if let failure {
            self.end(call, failure, context: context)
        } else {
            self.note(call.waker)
        }
    }

    /// What a responder was told may give it something to send: it is asked when all was read.
    private func note(_ waker: RPCStreamWaker) {
        if waker.note() { self.woken.append(waker) }
    }

    /// Sends what the responders have that were told something, as far as there is room; the last of it is not flushed.
    /// Gives its bytes of messages.
    func sendMessagesOfWoken(_ context: ChannelHandlerContext) -> Int {
        guard !self.woken.isEmpty else { return 0 }
        var wakers: [RPCStreamWaker] = []
        swap(&wakers, &self.woken)
        var messageBytes = 0
        for waker in wakers { messageBytes += self.sendMessages(of: waker, context: context) }
        wakers.removeAll(keepingCapacity: true)
        if self.woken.isEmpty { swap(&wakers, &self.woken) }
        return messageBytes
    }

    /// Sends what the responder of a stream has, as far as there is room and for one turn; the last of it is not flushed.
    /// Gives the bytes of messages: they keep their room until all that was sent here is on the socket.
    func sendMessages(of waker: RPCStreamWaker, context: ChannelHandlerContext) -> Int {
        waker.heard()
        guard let connection = self.connection else { return 0 }
        guard case .events(let call) = self.machine.running(streamID: waker.streamID) else {
            connection.outbound.release(waker.takeGrant())
            return 0
        }
        if waker.isWaitingForTurn { return 0 }
        var room = OutboundRoom(of: connection.outbound, for: waker)
        var turnBytes = 0
        // A write that fails ends the connection before it returns.
        while self.connection != nil {
            var step = StreamResponderStep.wait
            do throws(RPCError) {
                try self.writer.append(to: context) { buffer throws(RPCError) in
                    turnBytes -= buffer.readableBytes
                    step = try call.appendMessages(
                        maximumDataBytes: self.limits.frame.maximumDataBytes,
                        fullBytes: FrameWriter.flushBytes,
                        to: &buffer,
                        reserve: { room.take($0) }
                    )
                    turnBytes += buffer.readableBytes
                }
            } catch {
                self.end(call, error, context: context)
                break
            }
            switch step {
            // The writer has sent it.
            case .full where turnBytes < StreamTurns.turnBytes: continue
            case .full: self.goOnLater(waker)
            case .held, .wait: break
            case .end: self.finish(call, nil, context: context)
            case .failed(let error): self.finish(call, error.ofHandler, context: context)
            }
            break
        }
        return room.end()
    }

    /// A stream goes on with its next turn.
    func goOnLater(_ waker: RPCStreamWaker) {
        guard let context = self.context, waker.waitForTurn() else { return }
        self.waitingForTurn.append(waker)
        if self.waitingForTurn.count == 1 { StreamTurns.on(context.eventLoop).add(self) }
    }

    /// The responder has ended its stream.
    private func finish(_ call: ServerEventCall, _ error: RPCError?, context: ChannelHandlerContext) {
        FailPoint.reach("rpc.before_reply")
        let mayAnswer = self.machine.finished(streamID: call.streamID) == .sendAnswer
        guard let terminal = call.finish(failed: error != nil), mayAnswer else { return }
        switch terminal {
        case .endOfData:
            let (data, flags) = (ByteBuffer(), FrameFlags.endOfData)
            self.writer.append(data, type: .data, flags: flags, streamID: call.streamID, to: context)
        case .response:
            let error = error ?? RPCError(code: .internal, message: "the stream ended without its response")
            self.fail(call.streamID, error, cancelling: nil, context: context)
        }
    }

    /// The stream ends with an error that its responder is told.
    private func end(_ call: ServerEventCall, _ error: RPCError, context: ChannelHandlerContext) {
        guard let running = self.machine.answered(streamID: call.streamID) else { return }
        self.fail(call.streamID, error.ofHandler, cancelling: running, context: context)
    }
}

extension ServerConnectionHandler: StreamTurnTaker {
    func takeTurns() {
        guard let context = self.context, let connection = self.connection else { return }
        let wakers = self.waitingForTurn
        self.waitingForTurn = []
        var messageBytes = 0
        for waker in wakers {
            waker.turnBegins()
            messageBytes += self.sendMessages(of: waker, context: context)
        }
        // A client that hears something does not ping.
        self.silence?.active(now: context.eventLoop.now)
        self.writer.flush(to: context, releasing: messageBytes, of: connection.outbound)
        self.closeIfDrained(context)
    }
}
