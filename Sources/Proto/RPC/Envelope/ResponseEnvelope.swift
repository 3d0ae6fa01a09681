import NIOCore
import ProtoMessages

/// Reads the `Response` envelope (G3) as a client does: the payload stays in the bytes that arrived.
enum ResponseEnvelope {
    /// The payload, or the error that the status tells (G3-02). Bytes that are no `Response` are an INTERNAL error.
    static func outcome(reading data: ByteBuffer) -> Result<ByteBuffer, RPCError> {
        do throws(EnvelopeError) {
            let (status, payload) = try data.withUnsafeReadableBytes { bytes throws(EnvelopeError) in
                try self.fields(of: bytes)
            }
            if let status {
                let status = try self.status(data.slice(in: status))
                if status.code != RPCStatus.Code.ok.rawValue { return .failure(RPCError(status)) }
            }
            return .success(data.slice(in: payload))
        } catch {
            return .failure(RPCError(code: .internal, message: "the server's response envelope is malformed"))
        }
    }

    private static func fields(
        of bytes: UnsafeRawBufferPointer
    ) throws(EnvelopeError) -> (status: Range<Int>?, payload: Range<Int>) {
        var reader = ProtoFieldReader(bytes)
        var payload = 0..<0
        var status: Range<Int>?
        while let field = try reader.next() {
            switch (field.number, field.type) {
            case (1, .bytes):
                // Several would have to be merged; no peer sends them.
                guard status == nil else { throw .malformed }
                status = try reader.content()
            case (2, .bytes): payload = try reader.content()
            case (1...2, _): throw .malformed
            default: try reader.skip(field.type)
            }
        }
        return (status, payload)
    }

    private static func status(_ data: ByteBuffer) throws(EnvelopeError) -> Envelope.Status {
        do throws(ProtoDecodingError) {
            return try Envelope.Status(serialized: data)
        } catch {
            throw .malformed
        }
    }
}
