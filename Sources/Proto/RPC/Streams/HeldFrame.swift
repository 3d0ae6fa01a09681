import NIOCore
import ProtoFraming

/// A data frame that found its stream's window full. While it is held the connection is not read, which holds the peer
/// back as Go's receive loop does (G5-05), for a limited time.
struct HeldFrame {
    fileprivate(set) var frame: Frame?
    fileprivate var timer: Scheduled<Void>?
    /// Whether the channel has asked for a read that was not passed on.
    fileprivate(set) var readIsHeld = false
}

/// A connection's handler that holds a frame without room until its consumer has made some, or for a limited time. Bound
/// to the channel's event loop.
protocol FrameHolder: AnyObject {
    var held: HeldFrame { get set }
    /// nil once the channel is gone.
    var context: ChannelHandlerContext? { get }

    /// Whether the socket may be read when no frame is held.
    func mayRead(_ context: ChannelHandlerContext) -> Bool
    /// A read is held back, or not any more.
    func readingChanged(_ context: ChannelHandlerContext)
    /// Takes a frame to where it belongs; calls `hold` when there is no room.
    func received(_ frame: Frame, context: ChannelHandlerContext)
    /// A frame found no room in time: its stream fails.
    func fail(heldTooLong frame: Frame, context: ChannelHandlerContext)
    /// Nothing is held any more: takes what came behind it, and calls `readOn`.
    func goOn(_ context: ChannelHandlerContext)
}

extension FrameHolder {
    func readingChanged(_ context: ChannelHandlerContext) {}

    /// Keeps a frame that found no room, for `patience` at most.
    func hold(_ frame: Frame, patience: TimeAmount, context: ChannelHandlerContext) {
        self.held.frame = frame
        // The time goes on for a frame that is tried again in vain.
        guard self.held.timer == nil else { return }
        self.held.timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) { self.patienceEnded() }
    }

    /// A consumer has made room, or the stream of the held frame may have ended: the frame is tried again.
    func resumeReading() {
        guard let context = self.context, self.retry(context) else { return }
        self.goOn(context)
    }

    /// Forgets the frame.
    func dropHeldFrame() {
        self.held.frame = nil
        self.settled()
    }

    /// The channel asks for a read: passes it on, now or when it is possible.
    func readWhenPossible(_ context: ChannelHandlerContext) {
        if self.held.frame == nil, self.mayRead(context) {
            context.read()
        } else {
            self.held.readIsHeld = true
            self.readingChanged(context)
        }
    }

    /// Passes on a read that had to wait, if it need not any more.
    func readOn(_ context: ChannelHandlerContext) {
        guard self.held.readIsHeld, self.held.frame == nil, self.mayRead(context) else { return }
        self.held.readIsHeld = false
        self.readingChanged(context)
        context.read()
    }

    /// Gives false when no frame is held, or it is still.
    private func retry(_ context: ChannelHandlerContext) -> Bool {
        guard let frame = self.held.frame else { return false }
        self.held.frame = nil
        self.received(frame, context: context)
        guard self.held.frame == nil else { return false }
        self.settled()
        return true
    }

    /// The held frame found no room in time.
    private func patienceEnded() {
        guard let context = self.context else { return }
        if !self.retry(context), let frame = self.held.frame {
            self.dropHeldFrame()
            self.fail(heldTooLong: frame, context: context)
        }
        self.goOn(context)
    }

    private func settled() {
        self.held.timer?.cancel()
        self.held.timer = nil
    }
}
