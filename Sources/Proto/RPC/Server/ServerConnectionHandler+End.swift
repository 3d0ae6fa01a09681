import NIOCore
import ProtoMessages

// How a connection ends.
extension ServerConnectionHandler {
    /// Refuses new calls, after a notice to a client that waits for one; lets the running ones end for at most
    /// `timeout`, then closes.
    func drain(timeout: TimeAmount) {
        guard let context = self.context else { return }
        let channel = context.channel
        self.drainDeadline = context.eventLoop.now + timeout
        self.drainTimer?.cancel()
        self.drainTimer = context.eventLoop.scheduleTask(in: timeout) {
            channel.close(promise: nil)
        }
        let nonce = UInt64.random(in: 1 ... .max)
        self.act(self.machine.drain(isWatched: self.isWatched, nonce: nonce), nonce: nonce, context)
        self.closeIfDrained(context)
    }

    func act(
        _ action: ServerConnectionStateMachine<RunningCall>.DrainAction,
        nonce: UInt64 = 0,
        _ context: ChannelHandlerContext
    ) {
        let remaining = max(self.drainDeadline - context.eventLoop.now, .zero)
        var notice = Drain(remainingMilliseconds: UInt64(clamping: remaining.nanoseconds / 1_000_000))
        switch action {
        case .tellFirst:
            notice.lastAcceptedStreamID = Drain.highestStreamID
            notice.pingNonce = nonce
            self.noticeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: self.drainNoticeTimeout) {
                self.noticeEnded()
            }
        case .tellLast:
            self.noticeTimer?.cancel()
            notice.lastAcceptedStreamID = self.machine.lastStreamID
        case .none:
            return
        }
        self.connection?.drainNotice.post(notice)
    }

    private func noticeEnded() {
        guard let context = self.context else { return }
        self.act(self.machine.drainNoticeEnded(), context)
        self.closeIfDrained(context)
    }

    func closeIfDrained(_ context: ChannelHandlerContext) {
        guard self.machine.shouldClose, !self.isClosing else { return }
        self.isClosing = true
        // An empty write is done when everything before it has reached the socket.
        let channel = context.channel
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in Self.leave(channel) }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: written)
    }

    /// Says that no more comes and gives the client a moment to close: what it sends to a closed socket makes its kernel
    /// throw away answers that it has not read yet.
    private static func leave(_ channel: any Channel) {
        let timer = channel.eventLoop.scheduleTask(in: Self.farewellTime) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
        channel.close(mode: .output).whenFailure { _ in channel.close(promise: nil) }
    }

    private static let farewellTime = TimeAmount.seconds(1)

    func finish() {
        let lost = RPCError(code: .cancelled, message: "the client is gone")
        for call in self.machine.connectionClosed() {
            call.end(lost)
        }
        self.dropHeldFrame()
        self.timer?.cancel()
        self.drainTimer?.cancel()
        self.noticeTimer?.cancel()
        self.silenceTimer?.cancel()
        self.headerWatch.cancel()
        self.bodyWatch.cancel()
        self.accepted = []
        self.acceptedOnLoop = []
        self.woken = []
        self.waitingForTurn = []
        self.connection?.closed()
        self.connection = nil
        self.context = nil
    }
}
