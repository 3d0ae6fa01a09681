import NIOCore
import ProtoGenerated

/// Encoding and decoding through libprotobuf-c with arena memory.
enum ProtoCodec {
    /// Most memory that one message may take while it is encoded, its bytes included.
    static let maximumEncodingBytes = 64 << 20

    static func decode<Message: ProtobufCConvertible>(
        _: Message.Type,
        from bytes: UnsafeRawBufferPointer,
        in buffer: ByteBuffer?,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) -> Message {
        guard bytes.count <= limits.maximumMessageBytes else { throw .tooLarge }
        return try ProtoArena.with(limit: limits.maximumDecodedBytes) { arena throws(ProtoDecodingError) in
            // The defaults also hold the descriptor, which has no stable address as an imported constant.
            guard let defaults = try? arena.allocate(Message.CMessage.self) else { throw .malformed }
            Message.initialize(defaults)
            let descriptor = UnsafeRawPointer(defaults).assumingMemoryBound(to: ProtobufCMessage.self).pointee
                .descriptor
            var allocator = arena.allocator
            let unpacked = protobuf_c_message_unpack(
                descriptor,
                &allocator,
                bytes.count,
                bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            )
            guard let unpacked else { throw .malformed }
            let message = UnsafeMutableRawPointer(unpacked).assumingMemoryBound(to: Message.CMessage.self)
            return try Message(lifting: message.pointee, with: ProtoLift(of: bytes, in: buffer))
        }
    }

    static func encode<Message: ProtobufCConvertible>(
        _ value: Message,
        _ body: (ProtoEncoding) -> Void
    ) throws(ProtoEncodingError) {
        try ProtoArena.with(limit: self.maximumEncodingBytes) { arena throws(ProtoEncodingError) in
            let lowered = try arena.message(value)
            body(ProtoEncoding(UnsafeRawPointer(lowered).assumingMemoryBound(to: ProtobufCMessage.self)))
        }
        // What was lowered points into the value's bytes.
        withExtendedLifetime(value) {}
    }
}
