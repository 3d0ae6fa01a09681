public import NIOCore

/// One ttrpc frame: a header and its data.
public struct Frame: Sendable, Hashable {
    /// Stream that the frame belongs to.
    public var streamID: UInt32
    /// What `data` is.
    public var type: FrameType
    /// What the frame says about the stream.
    public var flags: FrameFlags
    /// An envelope or a message, by `type`.
    public var data: ByteBuffer

    /// Makes a frame.
    public init(streamID: UInt32, type: FrameType, flags: FrameFlags = [], data: ByteBuffer = ByteBuffer()) {
        self.streamID = streamID
        self.type = type
        self.flags = flags
        self.data = data
    }

    /// Appends header and data. The caller keeps `data` within the peer's limit (`FrameLimits.maximumDataBytes`).
    public func write(into buffer: inout ByteBuffer) {
        let length = UInt32(clamping: self.data.readableBytes)
        buffer.reserveCapacity(minimumWritableBytes: FrameHeader.size + Int(length))
        FrameHeader(length: length, streamID: self.streamID, type: self.type, flags: self.flags).write(into: &buffer)
        buffer.writeImmutableBuffer(self.data)
    }
}
