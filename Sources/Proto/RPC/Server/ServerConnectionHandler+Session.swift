import Logging
import NIOCore
import ProtoFraming
import ProtoMessages

// What the Session service asks and tells of a connection.
extension ServerConnectionHandler: SessionPeer {
    var isDraining: Bool { self.machine.isDraining }

    func context(of request: RequestEnvelope, streamID: UInt32) -> RPCContext {
        let timeout = request.timeoutNanoseconds
        return RPCContext(
            metadata: request.metadata,
            deadline: timeout > 0 ? self.readAt + min(.nanoseconds(timeout), .longest) : nil,
            client: self.connection?.client ?? .nobody,
            streamID: streamID
        )
    }

    func answer(_ streamID: UInt32, _ message: some ProtoMessage) throws(RPCError) {
        guard let context = self.context else { return }
        try self.writer.append(to: context) { buffer throws(RPCError) in
            try FrameEncoding.append(
                message,
                in: .response,
                behind: .init(streamID: streamID, type: .response),
                maximumDataBytes: self.limits.frame.maximumDataBytes,
                to: &buffer
            )
        }
    }

    func cancelStream(_ streamID: UInt32) -> Bool {
        guard let context = self.context, let call = self.machine.answered(streamID: streamID) else { return false }
        let error = RPCError(code: .cancelled, message: "the caller cancelled the call")
        self.fail(streamID, error, cancelling: call, context: context)
        return true
    }

    func greeted(by client: SessionLimits) {
        guard client.pingIntervalMilliseconds > 0, self.silence == nil, let context = self.context else { return }
        let milliseconds = Int64(clamping: client.pingIntervalMilliseconds)
        let interval = max(TimeAmount.milliseconds(min(milliseconds, Self.longestInterval)), .seconds(1))
        let silence = KeepAliveStateMachine(
            interval: interval,
            misses: self.limits.missedPings,
            now: context.eventLoop.now
        )
        self.silence = silence
        self.setSilenceTimer(silence.firstLook, context: context)
    }

    func pinged(nonce: UInt64) {
        guard let context = self.context else { return }
        // Whether the connection can close is looked at when all that came with the ping is read.
        self.act(self.machine.pinged(nonce: nonce), context)
    }

    private static let longestInterval = TimeAmount.longest.nanoseconds / 1_000_000
}

// A client that pings, and of which nothing comes, is gone (G6-04).
extension ServerConnectionHandler {
    private func setSilenceTimer(_ deadline: NIODeadline, context: ChannelHandlerContext) {
        self.silenceTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.lookForSilence()
        }
    }

    private func lookForSilence() {
        guard let context = self.context else { return }
        let now = context.eventLoop.now
        // What is not read cannot be heard, and while much waits to be sent the kernel judges (`SocketOptions`).
        if self.held.frame != nil || !context.channel.isWritable { self.silence?.active(now: now) }
        switch self.silence?.timerFired(now: now) {
        case .wait(let deadline), .missed(let deadline):
            self.setSilenceTimer(deadline, context: context)
        case .dead:
            self.logger.info("a connection is closed", metadata: ["reason": "the client does not ping any more"])
            context.close(promise: nil)
        case nil:
            break
        }
    }
}
