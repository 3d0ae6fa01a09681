import NIOCore
import ProtoFraming

/// Gathers frames and writes them with one flush.
///
/// Small frames are copied together, since a write costs more than such a copy; the data of large ones goes out as it
/// is.
struct FrameWriter {
    /// From this size on data is not copied.
    private static let largeDataBytes = 16 << 10
    /// Gathered bytes are handed to the channel at this size.
    private static let gatherBytes = 128 << 10

    private var gathered = ByteBuffer()
    private var needsFlush = false

    /// Adds a frame without flags. Nothing reaches the socket before `flush`.
    mutating func append(_ data: ByteBuffer, type: FrameType, streamID: UInt32, to context: ChannelHandlerContext) {
        self.needsFlush = true
        let length = UInt32(clamping: data.readableBytes)
        FrameHeader(length: length, streamID: streamID, type: type).write(into: &self.gathered)
        if data.readableBytes >= Self.largeDataBytes {
            self.writeGathered(to: context)
            context.write(NIOAny(data), promise: nil)
        } else {
            self.gathered.writeImmutableBuffer(data)
            if self.gathered.readableBytes >= Self.gatherBytes {
                self.writeGathered(to: context)
            }
        }
    }

    /// Sends what was added since the last flush.
    mutating func flush(to context: ChannelHandlerContext) {
        guard self.needsFlush else { return }
        self.needsFlush = false
        if self.gathered.readableBytes > 0 {
            context.write(NIOAny(self.gathered), promise: nil)
        }
        context.flush()
        // The storage is used again unless the socket still holds it.
        self.gathered.clear()
    }

    private mutating func writeGathered(to context: ChannelHandlerContext) {
        context.write(NIOAny(self.gathered), promise: nil)
        self.gathered = ByteBuffer()
    }
}
