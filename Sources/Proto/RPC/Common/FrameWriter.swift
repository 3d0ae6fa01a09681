import NIOCore
import ProtoFraming

/// Gathers frames and writes them with one flush.
///
/// Small frames are copied together, since a write costs more than such a copy; the data of large ones goes out as it
/// is.
///
/// A class: a write or flush that fails comes back into the handler, and through it in here, before it returns.
final class FrameWriter {
    /// From this size on data is not copied.
    private static let largeDataBytes = 16 << 10
    /// Gathered bytes are handed to the channel at this size.
    private static let gatherBytes = 128 << 10
    /// Frames encoded here are sent at this size, though more follow: the other side works on them meanwhile.
    static let flushBytes = 32 << 10

    // Appended to for each frame: the check costs more than the access, during which nothing else comes in here.
    @exclusivity(unchecked) private var gathered = ByteBuffer()
    private var needsFlush = false

    /// Adds a frame. Nothing reaches the socket before `flush`.
    func append(
        _ data: ByteBuffer,
        type: FrameType,
        flags: FrameFlags = [],
        streamID: UInt32,
        to context: ChannelHandlerContext
    ) {
        self.needsFlush = true
        let length = UInt32(clamping: data.readableBytes)
        FrameHeader(length: length, streamID: streamID, type: type, flags: flags).write(into: &self.gathered)
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

    /// Adds frames that were written before.
    func append(frames: ByteBuffer, to context: ChannelHandlerContext) {
        self.needsFlush = true
        if frames.readableBytes >= Self.largeDataBytes {
            self.writeGathered(to: context)
            context.write(NIOAny(frames), promise: nil)
        } else {
            self.gathered.writeImmutableBuffer(frames)
            if self.gathered.readableBytes >= Self.gatherBytes {
                self.writeGathered(to: context)
            }
        }
    }

    /// Adds frames that `encode` appends behind those gathered: a message is written once, where it is sent from.
    ///
    /// - Throws: what `encode` throws; what it has appended before is whole frames.
    func append(
        to context: ChannelHandlerContext,
        _ encode: (inout ByteBuffer) throws(RPCError) -> Void
    ) throws(RPCError) {
        defer {
            if self.gathered.readableBytes > 0 { self.needsFlush = true }
            if self.gathered.readableBytes >= Self.flushBytes { self.flush(to: context) }
        }
        try encode(&self.gathered)
    }

    /// Sends what was added since the last flush.
    ///
    /// - Parameter promise: done when all of it is on the socket; failed when it will not get there.
    func flush(to context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil) {
        guard self.needsFlush || promise != nil else { return }
        self.needsFlush = false
        var output = self.gathered
        self.gathered = ByteBuffer()
        // With a promise also when it is empty: writes end in order, so this one ends last.
        if output.readableBytes > 0 || promise != nil {
            context.write(NIOAny(output), promise: promise)
        }
        context.flush()
        // The storage is used again unless the socket still holds it, or it had to grow for a large frame.
        guard output.capacity <= 2 * Self.gatherBytes, self.gathered.capacity == 0 else { return }
        output.clear()
        self.gathered = output
    }

    /// Sends what was added since the last flush, of which so many bytes are messages of streams: they count as on their
    /// way until the socket has taken them.
    func flush(to context: ChannelHandlerContext, releasing messageBytes: Int, of outbound: OutboundBudget) {
        guard messageBytes > 0 else { return self.flush(to: context) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in outbound.release(messageBytes) }
        self.flush(to: context, promise: written)
    }

    private func writeGathered(to context: ChannelHandlerContext) {
        let output = self.gathered
        self.gathered = ByteBuffer()
        context.write(NIOAny(output), promise: nil)
    }
}
