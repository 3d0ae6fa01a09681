import NIOCore
import ProtoGenerated

/// Copies fields out of protobuf-c's structs, checking what protobuf-c does not.
struct ProtoLift {
    /// Bytes stay where they arrived unless that would keep this many times as much memory.
    static let largestSharing = 128

    /// What the message that is lifted was decoded from; nil: its bytes are copied.
    private let source: (bytes: UnsafeRawBufferPointer, buffer: ByteBuffer)?
    /// Fewer bytes are copied.
    private let fewestShared: Int

    /// All bytes are copied.
    init() {
        self.source = nil
        self.fewestShared = .max
    }

    /// - Parameters:
    ///   - bytes: the encoded message.
    ///   - buffer: where it stands; nil: in memory that is not shared.
    init(of bytes: UnsafeRawBufferPointer, in buffer: ByteBuffer?) {
        self.source = buffer.map { (bytes, $0) }
        self.fewestShared = buffer.map { $0.storageCapacity / Self.largestSharing } ?? .max
    }

    /// For a message inside of the one that is lifted.
    var inner: ProtoLift { ProtoLift() }

    /// protobuf-c accepts any bytes as a string; only UTF-8 becomes one.
    func string(_ data: ProtobufCBinaryData) throws(ProtoDecodingError) -> String {
        guard let base = data.data, data.len > 0 else { return "" }
        let bytes = UnsafeBufferPointer(start: base, count: data.len)
        guard let string = String(validating: bytes, as: UTF8.self) else { throw .invalidUTF8 }
        return string
    }

    /// - Parameter number: of the field; nil: it holds several.
    func bytes(_ data: ProtobufCBinaryData, field number: UInt64?) -> ByteBuffer {
        guard let base = data.data, data.len > 0 else { return ByteBuffer() }
        if let source, let number, data.len >= self.fewestShared,
            let range = FieldScan.last(number, in: source.bytes), range.count == data.len,
            let slice = source.buffer.getSlice(at: source.buffer.readerIndex + range.lowerBound, length: range.count)
        {
            return slice
        }
        var copy = ByteBufferAllocator().buffer(capacity: data.len)
        copy.writeWithUnsafeMutableBytes(minimumWritableBytes: data.len) { memory in
            memory.copyMemory(from: UnsafeRawBufferPointer(start: base, count: data.len))
            return data.len
        }
        return copy
    }

    func message<Message: ProtobufCConvertible>(
        _: Message.Type,
        _ pointer: UnsafeMutablePointer<Message.CMessage>?
    ) throws(ProtoDecodingError) -> Message {
        guard let pointer else { throw .malformed }
        return try Message(lifting: pointer.pointee, with: self.inner)
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
