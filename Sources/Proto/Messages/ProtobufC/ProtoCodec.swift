import NIOCore
import ProtoGenerated

/// Encoding and decoding through libprotobuf-c with arena memory.
enum ProtoCodec {
    /// Most memory that one message may take while it is encoded, in bytes.
    static let maximumEncodingBytes = 64 << 20

    static func decode<Message: ProtobufCConvertible>(
        _: Message.Type,
        from bytes: ByteBuffer,
        limits: ProtoDecodingLimits
    ) throws(ProtoDecodingError) -> Message {
        guard bytes.readableBytes <= limits.maximumMessageBytes else { throw .tooLarge }
        let arena = ProtoArena(limit: limits.maximumDecodedBytes, firstBlock: 2 * bytes.readableBytes + 512)
        // The defaults also hold the descriptor, which has no stable address as an imported constant.
        guard let defaults = try? arena.allocate(Message.CMessage.self) else { throw .malformed }
        Message.initialize(defaults)
        let descriptor = UnsafeRawPointer(defaults).assumingMemoryBound(to: ProtobufCMessage.self).pointee.descriptor
        return try withExtendedLifetime(arena) { () throws(ProtoDecodingError) -> Message in
            var allocator = self.allocator(over: arena)
            let unpacked = bytes.withUnsafeReadableBytes { source in
                protobuf_c_message_unpack(
                    descriptor,
                    &allocator,
                    source.count,
                    source.baseAddress?.assumingMemoryBound(to: UInt8.self)
                )
            }
            guard let unpacked else { throw .malformed }
            let message = UnsafeMutableRawPointer(unpacked).assumingMemoryBound(to: Message.CMessage.self)
            return try Message(lifting: message.pointee, with: ProtoLift())
        }
    }

    static func encode<Message: ProtobufCConvertible>(
        _ value: Message,
        into buffer: inout ByteBuffer
    ) throws(ProtoEncodingError) {
        let arena = ProtoArena(limit: self.maximumEncodingBytes)
        let lowered = try arena.message(value)
        withExtendedLifetime(arena) {
            let message = UnsafeMutableRawPointer(lowered).assumingMemoryBound(to: ProtobufCMessage.self)
            let size = protobuf_c_message_get_packed_size(message)
            guard size > 0 else { return }
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
                guard let base = target.baseAddress else { return 0 }
                return protobuf_c_message_pack(message, base.assumingMemoryBound(to: UInt8.self))
            }
        }
    }

    /// The arena outlives the allocator: both live in `decode`.
    private static func allocator(over arena: ProtoArena) -> ProtobufCAllocator {
        ProtobufCAllocator(
            alloc: { data, size in
                guard let data else { return nil }
                return Unmanaged<ProtoArena>.fromOpaque(data).takeUnretainedValue().allocateBytes(size)
            },
            // Freed as a whole with the arena.
            free: { _, _ in },
            allocator_data: Unmanaged.passUnretained(arena).toOpaque()
        )
    }
}
