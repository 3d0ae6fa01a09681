import NIOCore
import ProtoFraming

/// Bytes written as hex digits; spaces are for the reader.
func bytes(_ hex: String) -> ByteBuffer {
    let digits = hex.filter { !$0.isWhitespace }
    var buffer = ByteBuffer()
    var rest = Substring(digits)
    while !rest.isEmpty {
        buffer.writeInteger(UInt8(rest.prefix(2), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
    }
    return buffer
}

func encoded(_ frames: Frame...) -> ByteBuffer {
    var buffer = ByteBuffer()
    for frame in frames {
        frame.write(into: &buffer)
    }
    return buffer
}

/// A header followed by as many zero bytes as it announces.
func oversized(_ length: UInt32, streamID: UInt32 = 1, type: FrameType = .request) -> (FrameHeader, ByteBuffer) {
    let header = FrameHeader(length: length, streamID: streamID, type: type)
    var buffer = ByteBuffer()
    header.write(into: &buffer)
    buffer.writeRepeatingByte(0, count: Int(length))
    return (header, buffer)
}

extension ByteBuffer {
    /// Takes bytes off the front; nothing when there are not as many.
    mutating func cut(_ count: Int) -> ByteBuffer {
        self.readSlice(length: count) ?? ByteBuffer()
    }
}

extension FrameDecoder {
    /// Everything that comes out after `bytes` went in.
    mutating func events(after bytes: ByteBuffer) throws -> [Event] {
        self.append(bytes)
        var events: [Event] = []
        while let event = try self.next() {
            events.append(event)
        }
        return events
    }

    /// The same by runs where there are any, of each of which a part is taken that `share` chooses.
    mutating func events(after bytes: ByteBuffer, share: (FrameRun) -> Int) throws -> [Event] {
        self.append(bytes)
        var events: [Event] = []
        while true {
            if let run = self.run() {
                let messages = min(max(share(run), 0), run.count)
                var frames: [Event] = []
                let taken = run.takeMessages { data in
                    guard frames.count < messages else { return false }
                    frames.append(.frame(Frame(streamID: run.streamID, type: .data, data: data)))
                    return true
                }
                self.consume(run, messages: taken)
                events += frames
                if taken > 0 { continue }
            }
            guard let event = try self.next() else { return events }
            events.append(event)
        }
    }
}
