import NIOCore
import ProtoGenerated

@testable import ProtoMessages

/// Any bytes are a value or an error, for each message there is; a value that was encoded again is the same value. It is
/// read into memory of the arena and, so that the sanitizer sees the end of each field, into memory of malloc's.
func fuzzMessage(_ input: ByteBuffer) {
    var input = input
    guard let choice = input.readInteger(as: UInt16.self) else { return }
    let types = AllMessages.types
    let type = (typesByHash[choice] ?? types[Int(choice) % types.count]).type
    guard let convertible = type as? any ProtobufCConvertible.Type else { fatalError("\(type) is not generated") }
    roundTrip(convertible, input)
}

/// A name's hash stands for it in inputs: an index would change its meaning with each new message.
private let typesByHash = Dictionary(
    AllMessages.types.map { (UInt16(truncatingIfNeeded: fnv1a($0.name)), $0) },
    uniquingKeysWith: { first, _ in first }
)

/// Fowler, Noll and Vo's hash 1a of 32 bits.
private func fnv1a(_ text: String) -> UInt32 {
    text.utf8.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 }
}

private func roundTrip<Message: ProtobufCConvertible>(_ type: Message.Type, _ input: ByteBuffer) {
    let message = try? type.init(serialized: input)
    let unbounded = unpackedByMalloc(type, input)
    check(
        (message == nil) == (unbounded == nil),
        "\(type): the arena gives \(message as Any), malloc \(unbounded as Any)"
    )
    guard let message, let unbounded else { return }
    let encoded = mustNotThrow("encoding") { try message.serialized() }
    let again = mustNotThrow("decoding again") { try type.init(serialized: encoded) }
    // Bytes are compared, since a number that is none is not equal to itself.
    check(mustNotThrow("encoding again") { try again.serialized() } == encoded, "\(message) became \(again)")
    check(mustNotThrow("encoding") { try unbounded.serialized() } == encoded, "\(message), by malloc \(unbounded)")
}

/// The same as `init(serialized:)`, with an allocation for each field.
private func unpackedByMalloc<Message: ProtobufCConvertible>(_ type: Message.Type, _ input: ByteBuffer) -> Message? {
    withUnsafeTemporaryAllocation(of: Message.CMessage.self, capacity: 1) { defaults -> Message? in
        guard let start = defaults.baseAddress else { return nil }
        type.initialize(start)
        let descriptor = UnsafeRawPointer(start).assumingMemoryBound(to: ProtobufCMessage.self).pointee.descriptor
        let unpacked = input.withUnsafeReadableBytes { bytes in
            protobuf_c_message_unpack(descriptor, nil, bytes.count, bytes.bindMemory(to: UInt8.self).baseAddress)
        }
        guard let unpacked else { return nil }
        defer { protobuf_c_message_free_unpacked(unpacked, nil) }
        let message = UnsafeMutableRawPointer(unpacked).assumingMemoryBound(to: Message.CMessage.self)
        return try? type.init(lifting: message.pointee, with: ProtoLift())
    }
}
