import NIOCore

/// Why an envelope is refused.
enum EnvelopeError: Error, Equatable {
    /// Not protobuf, or not the message expected.
    case malformed
    /// A limit was crossed; the text says which.
    case limit(String)
}

/// Walks over the fields of a protobuf message without copying them.
///
/// Envelopes are read with it, not with the generated code, so that their limits hold before anything is allocated and
/// a payload of megabytes stays where it arrived. Contents are ranges of offsets into the bytes.
struct ProtoFieldReader {
    enum WireType: UInt64 {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case fixed32 = 5
    }

    struct Field {
        var number: UInt64
        var type: WireType
    }

    /// Keys and lengths are numbers of 32 bits; longer forms of them are refused, as protobuf-c does.
    private static let maximumLengthBytes = 5
    private static let maximumVarintBytes = 10

    private let bytes: UnsafeRawBufferPointer
    private var offset: Int
    private let end: Int

    /// Reads all of `bytes`, or the message that a field of it holds.
    init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>? = nil) {
        self.bytes = bytes
        self.offset = range?.lowerBound ?? 0
        self.end = range?.upperBound ?? bytes.count
    }

    /// The next field's key, or nil at the end.
    mutating func next() throws(EnvelopeError) -> Field? {
        guard self.offset < self.end else { return nil }
        let key = try self.varint(maximumBytes: Self.maximumLengthBytes)
        // Field numbers are 1 ... 2^29 - 1; groups are not part of proto3.
        guard let type = WireType(rawValue: key & 7), (1..<(1 << 29)).contains(key >> 3) else {
            throw .malformed
        }
        return Field(number: key >> 3, type: type)
    }

    mutating func varint() throws(EnvelopeError) -> UInt64 {
        try self.varint(maximumBytes: Self.maximumVarintBytes)
    }

    private mutating func varint(maximumBytes: Int) throws(EnvelopeError) -> UInt64 {
        // Most keys and lengths are one byte.
        guard self.offset < self.end else { throw .malformed }
        let first = self.bytes[self.offset]
        guard first >= 0x80 else {
            self.offset += 1
            return UInt64(first)
        }
        return try self.longVarint(maximumBytes: maximumBytes)
    }

    private mutating func longVarint(maximumBytes: Int) throws(EnvelopeError) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<maximumBytes {
            guard self.offset < self.end else { throw .malformed }
            let byte = self.bytes[self.offset]
            self.offset += 1
            value |= UInt64(byte & 0x7f) << UInt64(7 * index)
            if byte < 0x80 { return value }
        }
        throw .malformed
    }

    /// Where a length-delimited field's content is.
    mutating func content() throws(EnvelopeError) -> Range<Int> {
        let length = try self.varint(maximumBytes: Self.maximumLengthBytes)
        guard length <= UInt64(self.end - self.offset) else { throw .malformed }
        let begin = self.offset
        self.offset += Int(length)
        return begin..<self.offset
    }

    /// Where a text is; bytes that are not UTF-8 are malformed. `check` looks at its length first.
    mutating func text(
        _ check: (Int) throws(EnvelopeError) -> Void = { _ throws(EnvelopeError) in }
    ) throws(EnvelopeError) -> Range<Int> {
        let range = try self.content()
        try check(range.count)
        guard UnsafeRawBufferPointer(rebasing: self.bytes[range]).isUTF8 else { throw .malformed }
        return range
    }

    /// Passes over the content of a field that is of no interest.
    mutating func skip(_ type: WireType) throws(EnvelopeError) {
        switch type {
        case .varint: _ = try self.varint()
        case .bytes: _ = try self.content()
        case .fixed64: try self.skip(bytes: 8)
        case .fixed32: try self.skip(bytes: 4)
        }
    }

    private mutating func skip(bytes: Int) throws(EnvelopeError) {
        guard self.end - self.offset >= bytes else { throw .malformed }
        self.offset += bytes
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var isUTF8: Bool {
        // Nearly all texts are ASCII, which needs no decoder.
        self.isASCII || String(validating: self, as: UTF8.self) != nil
    }

    private var isASCII: Bool {
        var highBits: UInt64 = 0
        var offset = 0
        while self.count - offset >= 8 {
            highBits |= self.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & 0x8080_8080_8080_8080
            offset += 8
        }
        while offset < self.count {
            highBits |= UInt64(self[offset] & 0x80)
            offset += 1
        }
        return highBits == 0
    }
}

extension ByteBuffer {
    /// Text that is known to be UTF-8, by offsets from the first readable byte.
    func text(in range: Range<Int>) -> String {
        self.getString(at: self.readerIndex + range.lowerBound, length: range.count) ?? ""
    }

    /// Bytes by offsets from the first readable one, sharing the storage.
    func slice(in range: Range<Int>) -> ByteBuffer {
        guard !range.isEmpty else { return ByteBuffer() }
        return self.getSlice(at: self.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }
}
