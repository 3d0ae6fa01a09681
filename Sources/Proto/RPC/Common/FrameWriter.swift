import NIOCore

/// Gathers encoded frames and writes them with one flush.
///
/// Small frames are copied together, since a write costs more than such a copy; large ones go out as they are.
struct FrameWriter {
    /// From this size on a frame is not copied.
    private static let largeFrameBytes = 16 << 10
    /// Gathered bytes are handed to the channel at this size.
    private static let gatherBytes = 128 << 10

    private var gathered = ByteBuffer()
    private var needsFlush = false

    /// Adds a frame. Nothing reaches the socket before `flush`.
    mutating func append(_ frame: ByteBuffer, to context: ChannelHandlerContext) {
        self.needsFlush = true
        if frame.readableBytes >= Self.largeFrameBytes {
            self.writeGathered(to: context)
            context.write(NIOAny(frame), promise: nil)
        } else {
            self.gathered.writeImmutableBuffer(frame)
            if self.gathered.readableBytes >= Self.gatherBytes {
                self.writeGathered(to: context)
            }
        }
    }

    /// Sends what was added since the last flush.
    mutating func flush(to context: ChannelHandlerContext) {
        guard self.needsFlush else { return }
        self.needsFlush = false
        self.writeGathered(to: context)
        context.flush()
        // The storage is used again when the socket has taken everything, and given back when it has grown large.
        if self.gathered.capacity > 2 * Self.gatherBytes {
            self.gathered = ByteBuffer()
        } else {
            self.gathered.clear()
        }
    }

    private mutating func writeGathered(to context: ChannelHandlerContext) {
        guard self.gathered.readableBytes > 0 else { return }
        context.write(NIOAny(self.gathered), promise: nil)
        self.gathered = ByteBuffer()
    }
}
