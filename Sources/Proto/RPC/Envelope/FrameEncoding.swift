import NIOCore
import ProtoFraming
import ProtoMessages

/// Encodes the data of request and response frames.
///
/// A message is written once, behind a gap that then takes the envelope's leading fields, so that no payload is copied
/// on the way out. The bytes are those that the generated `Envelope` types give.
enum FrameEncoding {
    /// A payload's key and length; lengths within a frame's limit take at most 5 bytes.
    private static let longestPayloadPrefix = 1 + 5
    private static let payloadOfRequest: UInt8 = 3 << 3 | 2
    private static let timeoutOfRequest: UInt8 = 4 << 3
    private static let metadataOfRequest: UInt8 = 5 << 3 | 2
    private static let payloadOfResponse: UInt8 = 2 << 3 | 2

    /// What a request envelope tells besides its payload.
    struct Head {
        var service: String
        var method: String
        var timeoutNanoseconds: Int64 = 0
        var metadata: [Envelope.KeyValue] = []
    }

    /// A `Request` envelope around a message, or around none for a stream whose messages follow.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when it is longer than `maximumDataBytes` (G5-04).
    static func request(
        _ head: Head,
        _ message: some ProtoMessage,
        maximumDataBytes: Int
    ) throws(RPCError) -> ByteBuffer {
        try self.request(head, maximumDataBytes: maximumDataBytes) { names throws(RPCError) in
            try self.enveloped(message, after: names, payloadKey: self.payloadOfRequest)
        }
    }

    /// A `Request` envelope without a payload; throws what the other one does.
    static func request(_ head: Head, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        try self.request(head, maximumDataBytes: maximumDataBytes) { names throws(RPCError) in names }
    }

    private static func request(
        _ head: Head,
        maximumDataBytes: Int,
        payload: (ByteBuffer) throws(RPCError) -> ByteBuffer
    ) throws(RPCError) -> ByteBuffer {
        var names = ByteBuffer()
        names.writeField(1, head.service)
        names.writeField(2, head.method)
        var data = try payload(names)
        if head.timeoutNanoseconds != 0 {
            data.writeInteger(self.timeoutOfRequest)
            data.writeVarint(UInt64(bitPattern: head.timeoutNanoseconds))
        }
        for pair in head.metadata {
            var content = ByteBuffer()
            content.writeField(1, pair.key)
            content.writeField(2, pair.value)
            data.writeInteger(self.metadataOfRequest)
            data.writeVarint(UInt64(content.readableBytes))
            data.writeImmutableBuffer(content)
        }
        try self.check(data, maximumDataBytes: maximumDataBytes)
        return data
    }

    /// The data of a data frame: a message alone (G3-01).
    ///
    /// - Throws: RESOURCE_EXHAUSTED when it is longer than `maximumDataBytes` (G5-04).
    static func message(_ message: some ProtoMessage, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        var data = ByteBuffer()
        try self.serialize(message, into: &data)
        try self.check(data, maximumDataBytes: maximumDataBytes)
        return data
    }

    /// A `Response` envelope around a message.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when it is longer than `maximumDataBytes` (G5-04).
    static func response(_ message: some ProtoMessage, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        let data = try self.enveloped(message, after: ByteBuffer(), payloadKey: self.payloadOfResponse)
        try self.check(data, maximumDataBytes: maximumDataBytes)
        return data
    }

    /// A `Response` envelope with an error. Details, and then the message, are left out when they do not fit.
    static func failure(_ error: RPCError, maximumDataBytes: Int) -> ByteBuffer {
        let withoutDetails = RPCError(code: error.code, message: error.message)
        for candidate in [error, withoutDetails] {
            let envelope = Envelope.Response(status: candidate.status)
            if let data = try? envelope.serialized(), data.readableBytes <= maximumDataBytes {
                return data
            }
        }
        let code = UInt8(truncatingIfNeeded: withoutDetails.status.code)
        return ByteBuffer(bytes: [1 << 3 | 2, 2, 1 << 3, code])
    }

    private static func enveloped(
        _ message: some ProtoMessage,
        after leading: ByteBuffer,
        payloadKey: UInt8
    ) throws(RPCError) -> ByteBuffer {
        let gap = leading.readableBytes + self.longestPayloadPrefix
        var data = ByteBuffer()
        data.writeRepeatingByte(0, count: gap)
        try self.serialize(message, into: &data)
        let payloadBytes = data.readableBytes - gap
        var prefix = leading
        if payloadBytes > 0 {
            prefix.writeInteger(payloadKey)
            prefix.writeVarint(UInt64(payloadBytes))
        }
        data.moveReaderIndex(forwardBy: gap - prefix.readableBytes)
        data.setBuffer(prefix, at: data.readerIndex)
        return data
    }

    private static func check(_ data: ByteBuffer, maximumDataBytes: Int) throws(RPCError) {
        guard data.readableBytes <= maximumDataBytes else {
            throw .limit(
                "the message takes \(data.readableBytes) bytes, a frame holds \(maximumDataBytes); send less at a time"
            )
        }
    }

    private static func serialize(_ message: some ProtoMessage, into buffer: inout ByteBuffer) throws(RPCError) {
        do throws(ProtoEncodingError) {
            try message.serialize(into: &buffer)
        } catch {
            throw .limit("the message is too large to encode; send less at a time")
        }
    }
}

extension ByteBuffer {
    /// Appends a string field; one that is empty is left out, as proto3 does.
    fileprivate mutating func writeField(_ number: UInt8, _ text: String) {
        guard !text.isEmpty else { return }
        self.writeInteger(number << 3 | 2)
        self.writeVarint(UInt64(text.utf8.count))
        self.writeString(text)
    }

    /// Appends a protobuf varint.
    fileprivate mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.writeInteger(UInt8(truncatingIfNeeded: rest))
    }
}
