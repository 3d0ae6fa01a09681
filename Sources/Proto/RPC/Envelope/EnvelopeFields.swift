import NIOCore
import ProtoMessages

/// The fields of an envelope around its payload: their sizes first, so that all is written at once.
struct EnvelopeFields {
    /// What a request tells besides its payload; nil: a response, or no such fields.
    private let head: FrameEncoding.Head?
    private let payloadNumber: UInt8
    /// Sizes of the fields before and behind the payload.
    private let leadingBytes: Int
    private let trailingBytes: Int

    /// Those of a `Response`.
    static let response = EnvelopeFields()

    private init() {
        self.head = nil
        self.payloadNumber = 2
        self.leadingBytes = 0
        self.trailingBytes = 0
    }

    /// Those of a `Request`.
    init(of head: FrameEncoding.Head) {
        self.head = head
        self.payloadNumber = 3
        self.leadingBytes = Self.bytes(of: head.service) + Self.bytes(of: head.method)
        var trailing = 0
        if head.timeoutNanoseconds != 0 {
            trailing += 1 + Self.varintBytes(UInt64(bitPattern: head.timeoutNanoseconds))
        }
        for pair in head.metadata {
            let content = Self.bytes(of: pair)
            trailing += 1 + Self.varintBytes(UInt64(content)) + content
        }
        self.trailingBytes = trailing
    }

    /// Size of the whole envelope. An empty payload is left out, as proto3 does.
    func byteCount(withPayloadOf payloadBytes: Int) -> Int {
        let prefix = payloadBytes > 0 ? 1 + Self.varintBytes(UInt64(payloadBytes)) : 0
        return self.leadingBytes + prefix + payloadBytes + self.trailingBytes
    }

    /// Appends the fields up to the payload's length.
    func writeLeading(payloadBytes: Int, into buffer: inout ByteBuffer) {
        let count = self.byteCount(withPayloadOf: payloadBytes) - payloadBytes - self.trailingBytes
        guard count > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            var writer = FieldWriter(bytes)
            if let head {
                writer.field(1, head.service)
                writer.field(2, head.method)
            }
            if payloadBytes > 0 { writer.lengthDelimited(self.payloadNumber, payloadBytes) }
            return count
        }
    }

    /// Appends the fields behind the payload.
    func writeTrailing(into buffer: inout ByteBuffer) {
        guard let head, self.trailingBytes > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: self.trailingBytes) { bytes in
            var writer = FieldWriter(bytes)
            if head.timeoutNanoseconds != 0 {
                writer.byte(4 << 3)
                writer.varint(UInt64(bitPattern: head.timeoutNanoseconds))
            }
            for pair in head.metadata {
                writer.lengthDelimited(5, Self.bytes(of: pair))
                writer.field(1, pair.key)
                writer.field(2, pair.value)
            }
            return self.trailingBytes
        }
    }

    private static func bytes(of pair: Envelope.KeyValue) -> Int {
        self.bytes(of: pair.key) + self.bytes(of: pair.value)
    }

    /// An empty text is left out, as proto3 does.
    private static func bytes(of text: String) -> Int {
        let count = text.utf8.count
        return count == 0 ? 0 : 1 + self.varintBytes(UInt64(count)) + count
    }

    private static func varintBytes(_ value: UInt64) -> Int {
        value == 0 ? 1 : (70 - value.leadingZeroBitCount) / 7
    }
}

/// Writes protobuf fields one behind the other into bytes whose count was computed before.
private struct FieldWriter {
    private let bytes: UnsafeMutableRawBufferPointer
    private var count = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func byte(_ value: UInt8) {
        self.bytes[self.count] = value
        self.count += 1
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.byte(UInt8(truncatingIfNeeded: rest))
    }

    mutating func lengthDelimited(_ number: UInt8, _ length: Int) {
        self.byte(number << 3 | 2)
        self.varint(UInt64(length))
    }

    mutating func field(_ number: UInt8, _ text: String) {
        guard !text.isEmpty else { return }
        var text = text
        text.withUTF8 { utf8 in
            self.lengthDelimited(number, utf8.count)
            UnsafeMutableRawBufferPointer(rebasing: self.bytes[self.count...]).copyMemory(
                from: UnsafeRawBufferPointer(utf8)
            )
            self.count += utf8.count
        }
    }
}
