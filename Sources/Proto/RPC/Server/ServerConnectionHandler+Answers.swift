import FailPoints
import NIOCore
import ProtoFraming

// Answers of calls, and calls whose time is over.
extension ServerConnectionHandler {
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
            case .wake(let waker):
                messageBytes += self.sendMessages(of: waker, context: context)
            case .messages(let stream):
                let messages = stream.takeMessages()
                messageBytes += messages.messageBytes
                guard stream.state.withMachine({ $0.maySend }) else { continue }
                for frames in messages.frames { self.writer.append(frames: frames, to: context) }
            case .end(let stream, let failed):
                self.end(stream, answer.data, failed: failed, context: context)
            }
        }
        self.answers.removeAll(keepingCapacity: true)
        // A client that hears something does not ping.
        self.silence?.active(now: context.eventLoop.now)
        self.writer.flush(to: context, releasing: messageBytes, of: connection.outbound)
        FailPoint.reach("rpc.after_reply")
        self.closeIfDrained(context)
    }

    func end(_ stream: ServerStream, _ data: ByteBuffer, failed: Bool, context: ChannelHandlerContext) {
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

    func setTimer(_ deadline: NIODeadline, context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timerFired()
        }
    }

    func timerFired() {
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
}
