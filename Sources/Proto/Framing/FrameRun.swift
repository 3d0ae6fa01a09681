public import NIOCore

/// Messages of one stream that came together: data frames without flags, whole and one behind the other.
///
/// Streams of small messages bring hundreds of them in a read. As a run they cost one look for their stream.
public struct FrameRun: Sendable, Hashable {
    /// Stream that all of them belong to.
    public let streamID: UInt32
    /// Messages, at least one.
    public let count: Int
    /// The frames with their headers.
    let frames: ByteBuffer

    /// Finds the run at the front of `buffer`, if there are two messages at least: a single one is a frame.
    init?(at buffer: ByteBuffer, maximumDataBytes: Int) {
        var scan = Scan()
        buffer.withUnsafeReadableBytes { scan.read($0, maximumDataBytes: maximumDataBytes) }
        guard scan.count > 1, let frames = buffer.getSlice(at: buffer.readerIndex, length: scan.bytes) else {
            return nil
        }
        self.streamID = scan.streamID
        self.count = scan.count
        self.frames = frames
    }

    private struct Scan {
        var streamID: UInt32 = 0
        var count = 0
        var bytes = 0

        mutating func read(_ bytes: UnsafeRawBufferPointer, maximumDataBytes: Int) {
            while let header = FrameHeader(at: self.bytes, in: bytes), header.type == .data, header.flags == [],
                self.count == 0 || header.streamID == self.streamID
            {
                let length = Int(header.length)
                let end = self.bytes + FrameHeader.size + length
                guard length <= maximumDataBytes, end <= bytes.count else { return }
                self.streamID = header.streamID
                self.count += 1
                self.bytes = end
            }
        }
    }

    /// Calls `body` with the bytes of each message, in order. They are valid until it returns.
    @inline(__always)
    public func forEachMessage<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try self.frames.withUnsafeReadableBytes { bytes throws(Failure) in
            var offset = 0
            while let header = FrameHeader(at: offset, in: bytes) {
                let begin = offset + FrameHeader.size
                offset = begin + Int(header.length)
                try body(UnsafeRawBufferPointer(rebasing: bytes[begin..<offset]))
            }
        }
    }

    /// Calls `take` with each message, sharing the bytes, until it gives false.
    ///
    /// - Returns: the messages for which it gave true.
    public func takeMessages(while take: (ByteBuffer) -> Bool) -> Int {
        var rest = self.frames
        var taken = 0
        while let header = FrameHeader(reading: &rest), let data = rest.readSlice(length: Int(header.length)),
            take(data)
        {
            taken += 1
        }
        return taken
    }

    /// Bytes of the first frames.
    func byteCount(ofFirst messages: Int) -> Int {
        guard messages < self.count else { return self.frames.readableBytes }
        return self.frames.withUnsafeReadableBytes { bytes in
            var offset = 0
            for _ in 0..<messages {
                guard let header = FrameHeader(at: offset, in: bytes) else { break }
                offset += FrameHeader.size + Int(header.length)
            }
            return offset
        }
    }
}
