internal import ProtoGenerated

/// A message that is ready to be written. It points into memory that is gone after `ProtoMessage.encode`.
public struct ProtoEncoding {
    /// Size of the encoded message.
    public let byteCount: Int
    /// A `ProtobufCMessage`.
    private let message: UnsafeRawPointer

    init(_ message: UnsafePointer<ProtobufCMessage>) {
        self.message = UnsafeRawPointer(message)
        self.byteCount = protobuf_c_message_get_packed_size(message)
    }

    /// Writes the encoded message to the front of `target`, which holds at least `byteCount` bytes.
    public func write(to target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= self.byteCount, "no room for the message")
        guard let base = target.baseAddress else { return }
        let message = self.message.assumingMemoryBound(to: ProtobufCMessage.self)
        protobuf_c_message_pack(message, base.assumingMemoryBound(to: UInt8.self))
    }
}
