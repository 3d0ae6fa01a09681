import FailPoints
import NIOCore
import ProtoFraming

// Calls that responders answer on the event loop.
extension ServerConnectionHandler {
    /// A call was accepted.
    func begin(_ call: ServerEventCall, _ responder: any StreamResponder, context: ChannelHandlerContext) {
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
            self.note(call.waker)
        } catch {
            self.end(call, error, context: context)
        }
    }

    /// What a responder was told may give it something to send: it is asked when all was read.
    private func note(_ waker: RPCStreamWaker) {
        if waker.note() { self.woken.append(waker) }
    }

    /// Sends what the responders have that were told something, as far as there is room; it is not flushed. Gives the
    /// bytes of messages.
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

    /// Sends what the responder of a stream has, as far as there is room; it is not flushed. Gives the bytes of messages.
    func sendMessages(of waker: RPCStreamWaker, context: ChannelHandlerContext) -> Int {
        waker.heard()
        guard let connection = self.connection else { return 0 }
        guard case .events(let call) = self.machine.running(streamID: waker.streamID) else {
            connection.outbound.release(waker.takeGrant())
            return 0
        }
        var messageBytes = 0
        while true {
            var step = StreamResponderStep.wait
            do throws(RPCError) {
                try self.writer.append(to: context) { buffer throws(RPCError) in
                    step = try call.appendNext(
                        maximumDataBytes: self.limits.frame.maximumDataBytes,
                        to: &buffer,
                        reserve: { bytes in
                            let hasRoom = connection.outbound.reserve(bytes, for: waker)
                            if hasRoom { messageBytes += bytes }
                            return hasRoom
                        }
                    )
                }
            } catch {
                self.end(call, error, context: context)
                return messageBytes
            }
            switch step {
            case .appended: continue
            case .held, .wait: return messageBytes
            case .end: self.finish(call, nil, context: context)
            case .failed(let error): self.finish(call, error.ofHandler, context: context)
            }
            return messageBytes
        }
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
