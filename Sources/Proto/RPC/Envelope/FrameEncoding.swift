import NIOCore
import ProtoFraming
import ProtoMessages

/// Encodes calls and answers as whole frames.
///
/// A message is written once, behind a gap that then takes the frame's header and the envelope's leading fields, so
/// that no payload is copied on the way out. The bytes are those that the generated `Envelope` types give.
enum FrameEncoding {
    /// A payload's key and length; lengths within a frame's limit take at most 5 bytes.
    private static let longestPayloadPrefix = 1 + 5
    private static let payloadOfRequest: UInt8 = 3 << 3 | 2
    private static let payloadOfResponse: UInt8 = 2 << 3 | 2

    /// A request frame; its stream id is still 0 and set when it is written (`setStreamID`).
    ///
    /// - Throws: RESOURCE_EXHAUSTED when the frame would be longer than `maximumDataBytes` (G5-04).
    static func request<Request: ProtoMessage, Response: ProtoMessage>(
        _ method: RPCMethod<Request, Response>,
        _ message: Request,
        timeoutNanoseconds: Int64,
        metadata: [Envelope.KeyValue],
        maximumDataBytes: Int
    ) throws(RPCError) -> ByteBuffer {
        let names = try self.serialized(Envelope.Request(service: method.service, method: method.name))
        let rest = try self.serialized(Envelope.Request(timeoutNano: timeoutNanoseconds, metadata: metadata))
        var frame = try self.frame(
            type: .request,
            streamID: 0,
            leading: names,
            payloadKey: self.payloadOfRequest,
            message: message
        )
        frame.writeImmutableBuffer(rest)
        try self.finish(&frame, maximumDataBytes: maximumDataBytes)
        return frame
    }

    /// The frame that answers a call with a message.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when the frame would be longer than `maximumDataBytes` (G5-04).
    static func response(
        _ message: some ProtoMessage,
        streamID: UInt32,
        maximumDataBytes: Int
    ) throws(RPCError) -> ByteBuffer {
        var frame = try self.frame(
            type: .response,
            streamID: streamID,
            leading: ByteBuffer(),
            payloadKey: self.payloadOfResponse,
            message: message
        )
        try self.finish(&frame, maximumDataBytes: maximumDataBytes)
        return frame
    }

    /// The frame that answers a call with an error. Details, and then the message, are left out when they do not fit.
    static func failure(_ error: RPCError, streamID: UInt32, maximumDataBytes: Int) -> ByteBuffer {
        let withoutDetails = RPCError(code: error.code, message: error.message)
        for candidate in [error, withoutDetails] {
            let envelope = Envelope.Response(status: candidate.status)
            if let data = try? envelope.serialized(), data.readableBytes <= maximumDataBytes {
                return self.encoded(Frame(streamID: streamID, type: .response, data: data))
            }
        }
        let code = UInt8(truncatingIfNeeded: withoutDetails.status.code)
        let bareStatus = ByteBuffer(bytes: [1 << 3 | 2, 2, 1 << 3, code])
        return self.encoded(Frame(streamID: streamID, type: .response, data: bareStatus))
    }

    /// Writes the stream id into an encoded frame.
    static func setStreamID(_ streamID: UInt32, of frame: inout ByteBuffer) {
        frame.setInteger(streamID, at: frame.readerIndex + MemoryLayout<UInt32>.size)
    }

    private static func encoded(_ frame: Frame) -> ByteBuffer {
        var buffer = ByteBuffer()
        frame.write(into: &buffer)
        return buffer
    }

    /// Header, leading fields and payload; the header's length is set by `finish`.
    private static func frame(
        type: FrameType,
        streamID: UInt32,
        leading: ByteBuffer,
        payloadKey: UInt8,
        message: some ProtoMessage
    ) throws(RPCError) -> ByteBuffer {
        let gap = FrameHeader.size + leading.readableBytes + self.longestPayloadPrefix
        var frame = ByteBuffer()
        frame.writeRepeatingByte(0, count: gap)
        try self.serialize(message, into: &frame)
        let payloadBytes = frame.readableBytes - gap
        var prefix = ByteBuffer()
        FrameHeader(length: 0, streamID: streamID, type: type).write(into: &prefix)
        prefix.writeImmutableBuffer(leading)
        if payloadBytes > 0 {
            prefix.writeInteger(payloadKey)
            prefix.writeVarint(UInt64(payloadBytes))
        }
        frame.moveReaderIndex(forwardBy: gap - prefix.readableBytes)
        frame.setBuffer(prefix, at: frame.readerIndex)
        return frame
    }

    private static func finish(_ frame: inout ByteBuffer, maximumDataBytes: Int) throws(RPCError) {
        let length = frame.readableBytes - FrameHeader.size
        guard length <= maximumDataBytes, let length = UInt32(exactly: length) else {
            throw .limit("the message takes \(length) bytes, a frame holds \(maximumDataBytes); send less at a time")
        }
        frame.setInteger(length, at: frame.readerIndex)
    }

    private static func serialized(_ message: some ProtoMessage) throws(RPCError) -> ByteBuffer {
        var buffer = ByteBuffer()
        try self.serialize(message, into: &buffer)
        return buffer
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
