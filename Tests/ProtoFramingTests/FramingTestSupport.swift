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
}

/// Numbers that are the same for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
