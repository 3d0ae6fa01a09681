import NIOCore
import ProtoFraming

/// Closes a connection whose peer begins a frame's data and sends it too slowly (G6-11).
final class BodyWatch {
    private var machine: BodyProgressStateMachine
    private var timer: Scheduled<Void>?
    private var bytesReceived: UInt64 = 0

    init(limits: RPCServerLimits) {
        self.machine = BodyProgressStateMachine(
            bytesPerSecond: limits.minimumBodyBytesPerSecond,
            period: TimeAmount(clamping: limits.bodyProgressPeriod)
        )
    }

    /// Call after each read.
    func update(_ decoder: FrameDecoder, context: ChannelHandlerContext) {
        self.bytesReceived = decoder.bytesReceived
        let action = self.machine.received(
            bytesReceived: self.bytesReceived,
            isInsideData: decoder.isInsideData,
            now: context.eventLoop.now
        )
        self.act(action, context: context)
    }

    /// Call when the server stops reading.
    func pause() {
        self.machine.paused()
    }

    func cancel() {
        self.machine.paused()
        self.timer?.cancel()
        self.timer = nil
    }

    private func act(_ action: BodyProgressStateMachine.Action, context: ChannelHandlerContext) {
        switch action {
        case .none: break
        case .close: context.close(promise: nil)
        case .setTimer(let deadline):
            self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
                self.act(
                    self.machine.timerFired(bytesReceived: self.bytesReceived, now: context.eventLoop.now),
                    context: context
                )
            }
        }
    }
}
