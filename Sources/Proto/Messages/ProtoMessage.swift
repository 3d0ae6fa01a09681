public import NIOCore

/// A message of the project's .proto files as a Swift value.
///
/// The generated types conform; decoding and encoding run through libprotobuf-c.
public protocol ProtoMessage: Sendable, Equatable {
    /// The message with every field at its proto3 default.
    init()

    /// Decodes a message. Every byte sequence gives either a value or an error: sizes are checked before memory is
    /// taken, strings must be UTF-8, and nesting is bounded because the schema has no recursive message.
    ///
    /// - Parameters:
    ///   - bytes: the encoded message.
    ///   - buffer: whose readable bytes these are, and whose storage the message may share; nil: all is copied.
    ///   - limits: what it may cost.
    init(
        serialized bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError)

    /// Calls `body` once with the message ready to be written: its size is known, so that all that goes out with it can
    /// be written in one step, or refused.
    func encode(_ body: (ProtoEncoding) -> Void) throws(ProtoEncodingError)
}

extension ProtoMessage {
    /// Decodes a message.
    @inlinable
    public init(serialized buffer: ByteBuffer, limits: ProtoDecodingLimits) throws(ProtoDecodingError) {
        self = try buffer.withUnsafeReadableBytes { bytes throws(ProtoDecodingError) in
            try Self(serialized: bytes, in: buffer, limits: limits)
        }
    }

    /// Decodes a message within the default limits.
    public init(serialized bytes: ByteBuffer) throws(ProtoDecodingError) {
        try self.init(serialized: bytes, limits: .default)
    }

    /// Appends the encoded message to `buffer`.
    public func serialize(into buffer: inout ByteBuffer) throws(ProtoEncodingError) {
        try self.encode { encoding in
            guard encoding.byteCount > 0 else { return }
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: encoding.byteCount) { target in
                encoding.write(to: target)
                return encoding.byteCount
            }
        }
    }

    /// The encoded message in a buffer of its own.
    public func serialized() throws(ProtoEncodingError) -> ByteBuffer {
        var buffer = ByteBuffer()
        try self.serialize(into: &buffer)
        return buffer
    }
}

/// Bounds on what decoding one message may cost.
public struct ProtoDecodingLimits: Sendable, Hashable {
    /// Longest encoded message, in bytes.
    public var maximumMessageBytes: Int
    /// Most memory that the decoded fields may take, in bytes. A megabyte of empty repeated messages would otherwise
    /// grow to 27 MiB.
    public var maximumDecodedBytes: Int

    /// Sets both bounds.
    public init(maximumMessageBytes: Int, maximumDecodedBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
        self.maximumDecodedBytes = maximumDecodedBytes
    }

    /// 4 MiB (ttrpc's frame, G2-02) and four times that.
    public static let `default` = ProtoDecodingLimits(maximumMessageBytes: 4 << 20, maximumDecodedBytes: 16 << 20)
}

/// Why bytes are not a message.
public enum ProtoDecodingError: Error, Sendable, Hashable {
    /// The encoded message is longer than `maximumMessageBytes`.
    case tooLarge
    /// Not protobuf, or its fields would take more than `maximumDecodedBytes`.
    case malformed
    /// A string field is not UTF-8.
    case invalidUTF8
}

/// Why a value cannot be encoded.
public enum ProtoEncodingError: Error, Sendable, Hashable {
    /// The message would take more than `ProtoCodec.maximumEncodingBytes`.
    case tooLarge
}
