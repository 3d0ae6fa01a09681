import ProtoFraming
import ProtoMessages

/// Writes a frame's header and protobuf fields one behind the other into bytes whose count was computed before.
struct FieldWriter {
    private let target: UnsafeMutableRawBufferPointer
    private var count = 0

    init(_ target: UnsafeMutableRawBufferPointer) {
        self.target = target
    }

    mutating func byte(_ value: UInt8) {
        self.target[self.count] = value
        self.count += 1
    }

    mutating func bytes(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { self.rest.copyMemory(from: $0) }
        self.count += bytes.count
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.byte(UInt8(truncatingIfNeeded: rest))
    }

    /// - Parameter number: of the field, at most 15.
    mutating func lengthDelimited(_ number: UInt8, _ length: Int) {
        self.byte(number << 3 | 2)
        self.varint(UInt64(length))
    }

    mutating func message(_ message: ProtoEncoding) {
        message.write(to: self.rest)
        self.count += message.byteCount
    }

    mutating func header(_ header: FrameEncoding.Header, dataBytes: Int) {
        let length = UInt32(clamping: dataBytes)
        FrameHeader(length: length, streamID: header.streamID, type: header.type, flags: header.flags)
            .write(to: self.rest)
        self.count += FrameHeader.size
    }

    private var rest: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: self.target[self.count...])
    }
}
