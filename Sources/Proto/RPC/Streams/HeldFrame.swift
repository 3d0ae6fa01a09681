import NIOCore
import ProtoFraming

/// A data frame that found its stream's window full. While it is held the connection is not read, which holds the peer
/// back as Go's receive loop does (G5-05), for a limited time.
struct HeldFrame {
    private(set) var frame: Frame?
    private var timer: Scheduled<Void>?

    /// Keeps a frame; `expired` is called unless it is released before.
    mutating func hold(
        _ frame: Frame,
        patience: TimeAmount,
        on eventLoop: any EventLoop,
        expired: @escaping () -> Void
    ) {
        self.frame = frame
        guard self.timer == nil else { return }
        self.timer = eventLoop.assumeIsolated().scheduleTask(in: patience, expired)
    }

    /// Takes the frame to try it again; the time goes on if it is held once more at once.
    mutating func take() -> Frame? {
        defer { self.frame = nil }
        return self.frame
    }

    /// The frame has gone where it belongs.
    mutating func settled() {
        self.timer?.cancel()
        self.timer = nil
    }
}
