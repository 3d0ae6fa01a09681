import NIOCore
import ProtoMessages

/// Fields of an envelope around its payload: their size first, so that all are written at once, without a buffer for each.
struct EnvelopeFields {
    /// A payload's key and length; lengths within a frame's limit take at most 5 bytes.
    static let longestPayloadPrefix = 1 + 5

    private var texts: [(number: UInt8, text: String)] = []
    /// Number of the payload that follows; nil: none does.
    private var payloadNumber: UInt8?
    private var timeoutNanoseconds: Int64 = 0
    private var metadata: [Envelope.KeyValue] = []
    /// Size of the fields, without the payload's key and length.
    private(set) var byteCount = 0

    /// No fields.
    init() {}

    /// A payload alone.
    init(payloadNumber: UInt8) {
        self.payloadNumber = payloadNumber
    }

    /// The fields of a `Request` up to its payload's length.
    init(leadingFieldsOf head: FrameEncoding.Head) {
        self.texts = [(1, head.service), (2, head.method)]
        self.payloadNumber = 3
        self.byteCount = Self.bytes(of: head.service) + Self.bytes(of: head.method)
    }

    /// The fields of a `Request` behind its payload.
    init(trailingFieldsOf head: FrameEncoding.Head) {
        self.timeoutNanoseconds = head.timeoutNanoseconds
        self.metadata = head.metadata
        if head.timeoutNanoseconds != 0 {
            self.byteCount += 1 + Self.varintBytes(UInt64(bitPattern: head.timeoutNanoseconds))
        }
        for pair in head.metadata {
            let content = Self.bytes(of: pair)
            self.byteCount += 1 + Self.varintBytes(UInt64(content)) + content
        }
    }

    /// The size with the key and length of a payload; an empty one is left out, as proto3 does.
    func byteCount(withPayloadOf payloadBytes: Int) -> Int {
        guard self.payloadNumber != nil, payloadBytes > 0 else { return self.byteCount }
        return self.byteCount + 1 + Self.varintBytes(UInt64(payloadBytes))
    }

    /// Writes the fields to the beginning of `bytes`, which holds `byteCount(withPayloadOf:)` at least.
    func write(into bytes: UnsafeMutableRawBufferPointer, payloadBytes: Int = 0) {
        var writer = FieldWriter(bytes)
        for (number, text) in self.texts { writer.field(number, text) }
        if let payloadNumber, payloadBytes > 0 { writer.lengthDelimited(payloadNumber, payloadBytes) }
        if self.timeoutNanoseconds != 0 {
            writer.byte(4 << 3)
            writer.varint(UInt64(bitPattern: self.timeoutNanoseconds))
        }
        for pair in self.metadata {
            writer.lengthDelimited(5, Self.bytes(of: pair))
            writer.field(1, pair.key)
            writer.field(2, pair.value)
        }
    }

    /// Appends the fields.
    func append(to buffer: inout ByteBuffer) {
        guard self.byteCount > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: self.byteCount) { bytes in
            self.write(into: bytes)
            return self.byteCount
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
