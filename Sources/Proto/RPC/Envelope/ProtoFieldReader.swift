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
/// a payload of megabytes stays where it arrived.
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

    private(set) var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) {
        self.buffer = buffer
    }

    /// The next field's key, or nil at the end.
    mutating func next() throws(EnvelopeError) -> Field? {
        guard self.buffer.readableBytes > 0 else { return nil }
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
        var value: UInt64 = 0
        for index in 0..<maximumBytes {
            guard let byte = self.buffer.readInteger(as: UInt8.self) else { throw .malformed }
            value |= UInt64(byte & 0x7f) << UInt64(7 * index)
            if byte < 0x80 { return value }
        }
        throw .malformed
    }

    /// A length-delimited field's content, sharing the storage.
    mutating func bytes() throws(EnvelopeError) -> ByteBuffer {
        let length = try self.varint(maximumBytes: Self.maximumLengthBytes)
        guard length <= UInt64(self.buffer.readableBytes), let slice = self.buffer.readSlice(length: Int(length)) else {
            throw .malformed
        }
        return slice
    }

    /// Passes over the content of a field that is of no interest.
    mutating func skip(_ type: WireType) throws(EnvelopeError) {
        switch type {
        case .varint: _ = try self.varint()
        case .bytes: _ = try self.bytes()
        case .fixed64: try self.skip(bytes: 8)
        case .fixed32: try self.skip(bytes: 4)
        }
    }

    private mutating func skip(bytes: Int) throws(EnvelopeError) {
        guard self.buffer.readableBytes >= bytes else { throw .malformed }
        self.buffer.moveReaderIndex(forwardBy: bytes)
    }
}

extension ByteBuffer {
    /// The bytes as text; anything that is not UTF-8 is malformed.
    func validatedString() throws(EnvelopeError) -> String {
        guard let text = self.withUnsafeReadableBytes({ String(validating: $0, as: UTF8.self) }) else {
            throw .malformed
        }
        return text
    }
}
