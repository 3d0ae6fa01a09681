import NIOCore
import ProtoFraming
import ProtoMessages

/// Frames of a stream's messages on their way from the task that sends them to the event loop: one behind the other in
/// few buffers, since a buffer for each message, allocated here and freed there, cost more than all else about it.
struct MessageOutbox {
    /// At this size a buffer is complete and goes to the socket as it is.
    private static let bufferBytes = 16 << 10

    private var complete: [ByteBuffer] = []
    private var current = ByteBuffer()

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
        let fits = try FrameEncoding.append(
            message,
            behind: .init(streamID: streamID, type: .data),
            maximumDataBytes: maximumDataBytes,
            to: &self.current,
            reserve: reserve
        )
        guard fits else { return false }
        self.completeIfFull()
        return true
    }

    /// Adds a message that was encoded before, and for which there is room.
    mutating func append(_ data: ByteBuffer, streamID: UInt32) {
        Frame(streamID: streamID, type: .data, data: data).write(into: &self.current)
        self.completeIfFull()
    }

    /// Takes the frames of all that waits.
    mutating func take() -> [ByteBuffer] {
        if self.current.readableBytes > 0 { self.complete.append(self.current) }
        defer {
            self.complete = []
            self.current = ByteBuffer()
        }
        return self.complete
    }

    private mutating func completeIfFull() {
        guard self.current.readableBytes >= Self.bufferBytes else { return }
        self.complete.append(self.current)
        self.current = ByteBuffer()
    }
}
