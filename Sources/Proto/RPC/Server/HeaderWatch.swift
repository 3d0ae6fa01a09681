import NIOCore
import ProtoFraming

/// Closes a connection whose peer begins a header and does not complete it in time (G6-11).
struct HeaderWatch {
    private var timer: Scheduled<Void>?
    private var headersRead: UInt64 = 0

    /// Call after each read.
    mutating func update(_ decoder: FrameDecoder, timeout: Duration, context: ChannelHandlerContext) {
        if self.timer != nil, !decoder.isInsideHeader || decoder.headersRead != self.headersRead {
            self.cancel()
        }
        guard decoder.isInsideHeader, self.timer == nil else { return }
        self.headersRead = decoder.headersRead
        let channel = context.channel
        self.timer = context.eventLoop.scheduleTask(in: TimeAmount(clamping: timeout)) {
            channel.close(promise: nil)
        }
    }

    mutating func cancel() {
        self.timer?.cancel()
        self.timer = nil
    }
}
