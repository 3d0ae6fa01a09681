public import NIOCore
import ProtoFraming
public import ProtoMessages

/// Encodes the data of frames, and whole frames where they go straight behind others that wait to be sent.
///
/// The size of all is known before the first byte is written: what is too long takes no memory, and a message is written
/// once, where it stays. The bytes are those that the generated `Envelope` types give.
@usableFromInline
enum FrameEncoding {
    /// What a request envelope tells besides its payload.
    struct Head {
        /// The fields of service and method.
        let names: EncodedFields
        var timeoutNanoseconds: Int64 = 0
        /// Keys in lower case.
        var metadata = EncodedFields()
    }

    /// The header of a frame but for its length.
    @usableFromInline
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
        self.append(fields, dataBytes: fields.byteCount(withPayloadOf: 0), behind: nil, payload: nil, to: &data)
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
        self.append(fields, dataBytes: dataBytes, behind: header, payload: nil, to: &buffer)
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
    @usableFromInline
    @discardableResult
    static func append(
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
            try message.encode { encoding in
                dataBytes = fields?.byteCount(withPayloadOf: encoding.byteCount) ?? encoding.byteCount
                guard dataBytes <= maximumDataBytes else { return }
                isRefused = !reserve(dataBytes)
                guard !isRefused else { return }
                self.append(fields, dataBytes: dataBytes, behind: header, payload: encoding, to: &buffer)
            }
        } catch {
            throw .limit("the message is too large to encode; send less at a time")
        }
        try self.check(dataBytes, maximumDataBytes: maximumDataBytes)
        return !isRefused
    }

    /// Appends all of it in one step: each write to a buffer has its price.
    private static func append(
        _ fields: EnvelopeFields?,
        dataBytes: Int,
        behind header: Header?,
        payload: ProtoEncoding?,
        to buffer: inout ByteBuffer
    ) {
        let frameBytes = (header == nil ? 0 : FrameHeader.size) + dataBytes
        guard frameBytes > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: frameBytes) { target in
            var writer = FieldWriter(target)
            if let header { writer.header(header, dataBytes: dataBytes) }
            let payloadBytes = payload?.byteCount ?? 0
            fields?.writeLeading(payloadBytes: payloadBytes, to: &writer)
            if let payload { writer.message(payload) }
            fields?.writeTrailing(to: &writer)
            return frameBytes
        }
    }

    private static func check(_ dataBytes: Int, maximumDataBytes: Int) throws(RPCError) {
        guard dataBytes <= maximumDataBytes else {
            throw .limit("the message takes \(dataBytes) bytes, a frame holds \(maximumDataBytes); send less at a time")
        }
    }
}

extension FrameEncoding.Head {
    init(service: String, method: String, timeoutNanoseconds: Int64 = 0, metadata: [Envelope.KeyValue] = []) {
        self.init(
            names: EncodedFields(service: service, method: method),
            timeoutNanoseconds: timeoutNanoseconds,
            metadata: EncodedFields(metadata: metadata)
        )
    }
}
