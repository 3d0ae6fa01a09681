import NIOCore
import ProtoGenerated

/// Copies fields out of protobuf-c's structs, checking what protobuf-c does not.
struct ProtoLift {
    /// protobuf-c accepts any bytes as a string; only UTF-8 becomes one.
    func string(_ data: ProtobufCBinaryData) throws(ProtoDecodingError) -> String {
        guard let base = data.data, data.len > 0 else { return "" }
        let bytes = UnsafeBufferPointer(start: base, count: data.len)
        guard let string = String(validating: bytes, as: UTF8.self) else { throw .invalidUTF8 }
        return string
    }

    func bytes(_ data: ProtobufCBinaryData) -> ByteBuffer {
        guard let base = data.data, data.len > 0 else { return ByteBuffer() }
        return ByteBuffer(bytes: UnsafeRawBufferPointer(start: base, count: data.len))
    }

    func message<Message: ProtobufCConvertible>(
        _: Message.Type,
        _ pointer: UnsafeMutablePointer<Message.CMessage>?
    ) throws(ProtoDecodingError) -> Message {
        guard let pointer else { throw .malformed }
        return try Message(lifting: pointer.pointee, with: self)
    }

    func messages<Message: ProtobufCConvertible>(
        _ type: Message.Type,
        _ count: Int,
        _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Message.CMessage>?>?
    ) throws(ProtoDecodingError) -> [Message] {
        guard count > 0 else { return [] }
        guard let pointers else { throw .malformed }
        var messages: [Message] = []
        messages.reserveCapacity(count)
        for index in 0..<count {
            messages.append(try self.message(type, pointers[index]))
        }
        return messages
    }
}
