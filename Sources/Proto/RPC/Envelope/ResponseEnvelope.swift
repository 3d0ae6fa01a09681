import NIOCore
import ProtoMessages

/// Reads the `Response` envelope (G3) as a client does: the payload stays in the bytes that arrived.
enum ResponseEnvelope {
    /// The payload, or the error that the status tells (G3-02). Bytes that are no `Response` are an INTERNAL error.
    static func outcome(reading data: ByteBuffer) -> Result<ByteBuffer, RPCError> {
        do throws(EnvelopeError) {
            return try self.read(data)
        } catch {
            return .failure(RPCError(code: .internal, message: "the server's response envelope is malformed"))
        }
    }

    private static func read(_ data: ByteBuffer) throws(EnvelopeError) -> Result<ByteBuffer, RPCError> {
        var reader = ProtoFieldReader(data)
        var payload = ByteBuffer()
        var status: Envelope.Status?
        while let field = try reader.next() {
            switch (field.number, field.type) {
            case (1, .bytes): status = try self.status(try reader.bytes())
            case (2, .bytes): payload = try reader.bytes()
            case (1...2, _): throw .malformed
            default: try reader.skip(field.type)
            }
        }
        if let status, status.code != RPCStatus.Code.ok.rawValue {
            return .failure(RPCError(status))
        }
        return .success(payload)
    }

    private static func status(_ data: ByteBuffer) throws(EnvelopeError) -> Envelope.Status {
        do throws(ProtoDecodingError) {
            return try Envelope.Status(serialized: data)
        } catch {
            throw .malformed
        }
    }
}
