import NIOCore
import ProtoFraming
import ProtoMessages

/// Encodes the data of request and response frames.
///
/// A message is written once, behind a gap that then takes the envelope's leading fields, so that no payload is copied
/// on the way out. The bytes are those that the generated `Envelope` types give.
enum FrameEncoding {
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
        let data = try self.enveloped(
            message,
            between: .init(leadingFieldsOf: head),
            and: .init(trailingFieldsOf: head)
        )
        try self.check(data, maximumDataBytes: maximumDataBytes)
        return data
    }

    /// A `Request` envelope without a payload; throws what the other one does.
    static func request(_ head: Head, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        var data = ByteBuffer()
        EnvelopeFields(leadingFieldsOf: head).append(to: &data)
        EnvelopeFields(trailingFieldsOf: head).append(to: &data)
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
        let data = try self.enveloped(message, between: .init(payloadNumber: 2), and: .init())
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
        between leading: EnvelopeFields,
        and trailing: EnvelopeFields
    ) throws(RPCError) -> ByteBuffer {
        let gap = leading.byteCount + EnvelopeFields.longestPayloadPrefix
        var data = ByteBuffer()
        data.reserveCapacity(gap + self.expectedMessageBytes + trailing.byteCount)
        data.moveWriterIndex(to: gap)
        try self.serialize(message, into: &data)
        let payloadBytes = data.readableBytes - gap
        data.moveReaderIndex(forwardBy: gap - leading.byteCount(withPayloadOf: payloadBytes))
        data.withUnsafeMutableReadableBytes { leading.write(into: $0, payloadBytes: payloadBytes) }
        trailing.append(to: &data)
        return data
    }

    /// Room for a small message, so that it needs no second allocation.
    private static let expectedMessageBytes = 256

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
