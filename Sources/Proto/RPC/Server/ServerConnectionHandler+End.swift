import NIOCore
import ProtoMessages

// How a connection ends.
extension ServerConnectionHandler {
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

    func closeIfDrained(_ context: ChannelHandlerContext) {
        guard self.machine.shouldClose, !self.isClosing else { return }
        self.isClosing = true
        // An empty write is done when everything before it has reached the socket.
        let channel = context.channel
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: written)
    }

    func finish() {
        let lost = RPCError(code: .cancelled, message: "the client is gone")
        for call in self.machine.connectionClosed() {
            call.end(lost)
        }
        self.dropHeldFrame()
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
