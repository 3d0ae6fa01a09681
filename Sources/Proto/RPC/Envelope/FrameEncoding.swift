import NIOCore
import ProtoFraming
import ProtoMessages

/// Encodes the data of frames, and whole frames where they go straight behind others that wait to be sent.
///
/// The size of all is known before the first byte is written: what is too long takes no memory, and a message is written
/// once, where it stays. The bytes are those that the generated `Envelope` types give.
enum FrameEncoding {
    /// What a request envelope tells besides its payload.
    struct Head {
        var service: String
        var method: String
        var timeoutNanoseconds: Int64 = 0
        /// Keys in lower case.
        var metadata: [Envelope.KeyValue] = []
    }

    /// The header of a frame but for its length.
    struct Header {
        var streamID: UInt32
        var type: FrameType
        var flags: FrameFlags = []
    }

    /// A `Request` envelope around a message, or around none for a stream whose messages follow.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when it is longer than `maximumDataBytes` (G5-04).
    static func request(
        _ head: Head,
        _ message: some ProtoMessage,
        maximumDataBytes: Int
    ) throws(RPCError) -> ByteBuffer {
        var data = ByteBuffer()
        try self.append(message, in: EnvelopeFields(of: head), maximumDataBytes: maximumDataBytes, to: &data)
        return data
    }

    /// A `Request` envelope without a payload; throws what the other one does.
    static func request(_ head: Head, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        let fields = EnvelopeFields(of: head)
        try self.check(fields.byteCount(withPayloadOf: 0), maximumDataBytes: maximumDataBytes)
        var data = ByteBuffer()
        fields.writeLeading(payloadBytes: 0, into: &data)
        fields.writeTrailing(into: &data)
        return data
    }

    /// Appends a `Request` envelope without a payload in a frame of its own; throws what the one above does.
    static func append(
        _ head: Head,
        behind header: Header,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer
    ) throws(RPCError) {
        let fields = EnvelopeFields(of: head)
        let dataBytes = fields.byteCount(withPayloadOf: 0)
        try self.check(dataBytes, maximumDataBytes: maximumDataBytes)
        buffer.reserveCapacity(minimumWritableBytes: FrameHeader.size + dataBytes)
        let length = UInt32(clamping: dataBytes)
        FrameHeader(length: length, streamID: header.streamID, type: header.type, flags: header.flags)
            .write(into: &buffer)
        fields.writeLeading(payloadBytes: 0, into: &buffer)
        fields.writeTrailing(into: &buffer)
    }

    /// A `Response` envelope around a message.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when it is longer than `maximumDataBytes` (G5-04).
    static func response(_ message: some ProtoMessage, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        var data = ByteBuffer()
        try self.append(message, in: .response, maximumDataBytes: maximumDataBytes, to: &data)
        return data
    }

    /// The data of a data frame: a message alone (G3-01).
    ///
    /// - Throws: RESOURCE_EXHAUSTED when it is longer than `maximumDataBytes` (G5-04).
    static func message(_ message: some ProtoMessage, maximumDataBytes: Int) throws(RPCError) -> ByteBuffer {
        var data = ByteBuffer()
        try self.append(message, maximumDataBytes: maximumDataBytes, to: &data)
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

    /// Appends a message, in an envelope if one is given, and in a frame of its own if a header is given.
    ///
    /// - Parameter reserve: asked with the size of the data whether it may be appended.
    /// - Returns: false, having appended nothing, when it may not.
    /// - Throws: RESOURCE_EXHAUSTED, having appended nothing, when the frame's data would be longer than
    ///   `maximumDataBytes` (G5-04).
    @discardableResult static func append(
        _ message: some ProtoMessage,
        in fields: EnvelopeFields? = nil,
        behind header: Header? = nil,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer,
        reserve: (Int) -> Bool = { _ in true }
    ) throws(RPCError) -> Bool {
        var dataBytes = 0
        var isRefused = false
        do throws(ProtoEncodingError) {
            try message.serialize(into: &buffer) { messageBytes, buffer in
                dataBytes = fields?.byteCount(withPayloadOf: messageBytes) ?? messageBytes
                guard dataBytes <= maximumDataBytes else { return false }
                isRefused = !reserve(dataBytes)
                guard !isRefused else { return false }
                buffer.reserveCapacity(minimumWritableBytes: FrameHeader.size + dataBytes)
                if let header {
                    let length = UInt32(clamping: dataBytes)
                    FrameHeader(length: length, streamID: header.streamID, type: header.type, flags: header.flags)
                        .write(into: &buffer)
                }
                fields?.writeLeading(payloadBytes: messageBytes, into: &buffer)
                return true
            }
        } catch {
            if isRefused { return false }
            try self.check(dataBytes, maximumDataBytes: maximumDataBytes)
            throw .limit("the message is too large to encode; send less at a time")
        }
        fields?.writeTrailing(into: &buffer)
        return true
    }

    private static func check(_ dataBytes: Int, maximumDataBytes: Int) throws(RPCError) {
        guard dataBytes <= maximumDataBytes else {
            throw .limit("the message takes \(dataBytes) bytes, a frame holds \(maximumDataBytes); send less at a time")
        }
    }
}
