import NIOCore
import ProtoFraming
import ProtoMessages

/// Frames of a stream's messages on their way from the task that sends them to the event loop: one behind the other in
/// few buffers, since a buffer for each message, allocated here and freed there, cost more than all else about it.
struct MessageOutbox {
    /// At this size a buffer is complete and goes to the socket as it is.
    private static let bufferBytes = 16 << 10

    /// What waits, taken as a whole.
    struct Taken {
        var frames: [ByteBuffer]
        /// Bytes of messages, without the headers of their frames.
        var messageBytes: Int
    }

    private var complete: [ByteBuffer] = []
    private var current = ByteBuffer()
    private var messageBytes = 0

    /// Whether nothing waits, so that the event loop has to be told of what comes next.
    var isEmpty: Bool { self.complete.isEmpty && self.current.readableBytes == 0 }

    /// Adds a message.
    ///
    /// - Parameter reserve: takes room for the message's bytes, or gives false.
    /// - Returns: false, and adds nothing, without room.
    /// - Throws: RESOURCE_EXHAUSTED when the message does not fit into a frame (G5-04).
    mutating func append(
        _ message: some ProtoMessage,
        streamID: UInt32,
        maximumDataBytes: Int,
        reserve: (Int) -> Bool
    ) throws(RPCError) -> Bool {
        let before = self.current.readableBytes
        let header = FrameEncoding.Header(streamID: streamID, type: .data)
        let fits = try FrameEncoding.append(
            message,
            behind: header,
            maximumDataBytes: maximumDataBytes,
            to: &self.current,
            reserve: reserve
        )
        guard fits else { return false }
        self.added(self.current.readableBytes - before - FrameHeader.size)
        return true
    }

    /// Adds a message that was encoded before, and for which there is room.
    mutating func append(_ data: ByteBuffer, streamID: UInt32) {
        Frame(streamID: streamID, type: .data, data: data).write(into: &self.current)
        self.added(data.readableBytes)
    }

    /// Takes all that waits.
    mutating func take() -> Taken {
        if self.current.readableBytes > 0 { self.complete.append(self.current) }
        defer {
            self.complete = []
            self.current = ByteBuffer()
            self.messageBytes = 0
        }
        return Taken(frames: self.complete, messageBytes: self.messageBytes)
    }

    private mutating func added(_ messageBytes: Int) {
        self.messageBytes += messageBytes
        guard self.current.readableBytes >= Self.bufferBytes else { return }
        self.complete.append(self.current)
        self.current = ByteBuffer()
    }
}
