import NIOCore
import ProtoMessages

/// The `Request` envelope (G3) as a server reads it: limits checked, the payload still in the bytes that arrived.
struct RequestEnvelope: Sendable, Equatable {
    var service = ""
    var method = ""
    var payload = ByteBuffer()
    /// 0: no limit; negative: already over (G3-05).
    var timeoutNanoseconds: Int64 = 0
    var metadata: [Envelope.KeyValue] = []
}

/// Bounds on the envelope around a request (G6-11).
struct EnvelopeLimits: Sendable, Hashable {
    var maximumMetadataPairs: Int
    var maximumMetadataBytes: Int
    /// For service and method together.
    var maximumNameBytes: Int
}

extension RequestEnvelope {
    /// Reads the data of a request frame.
    init(reading data: ByteBuffer, limits: EnvelopeLimits) throws(EnvelopeError) {
        self.init()
        var reader = ProtoFieldReader(data)
        var nameBytesLeft = limits.maximumNameBytes
        var metadataBytesLeft = limits.maximumMetadataBytes
        while let field = try reader.next() {
            switch (field.number, field.type) {
            case (1, .bytes):
                self.service = try Self.name(&reader, bytesLeft: &nameBytesLeft, limits)
            case (2, .bytes):
                self.method = try Self.name(&reader, bytesLeft: &nameBytesLeft, limits)
            case (3, .bytes):
                self.payload = try reader.bytes()
            case (4, .varint):
                self.timeoutNanoseconds = Int64(bitPattern: try reader.varint())
            case (5, .bytes):
                guard self.metadata.count < limits.maximumMetadataPairs else {
                    throw .limit("more than \(limits.maximumMetadataPairs) pairs of metadata")
                }
                self.metadata.append(try Self.pair(&reader, bytesLeft: &metadataBytesLeft, limits))
            case (1...5, _):
                throw .malformed
            default:
                try reader.skip(field.type)
            }
        }
    }

    private static func name(
        _ reader: inout ProtoFieldReader,
        bytesLeft: inout Int,
        _ limits: EnvelopeLimits
    ) throws(EnvelopeError) -> String {
        let name = try reader.bytes()
        bytesLeft -= name.readableBytes
        guard bytesLeft >= 0 else {
            throw .limit("the names of service and method are longer than \(limits.maximumNameBytes) bytes")
        }
        return try name.validatedString()
    }

    private static func pair(
        _ reader: inout ProtoFieldReader,
        bytesLeft: inout Int,
        _ limits: EnvelopeLimits
    ) throws(EnvelopeError) -> Envelope.KeyValue {
        let content = try reader.bytes()
        bytesLeft -= content.readableBytes
        guard bytesLeft >= 0 else { throw .limit("more than \(limits.maximumMetadataBytes) bytes of metadata") }
        var pair = Envelope.KeyValue()
        var fields = ProtoFieldReader(content)
        while let field = try fields.next() {
            switch (field.number, field.type) {
            case (1, .bytes): pair.key = try fields.bytes().validatedString()
            case (2, .bytes): pair.value = try fields.bytes().validatedString()
            case (1...2, _): throw .malformed
            default: try fields.skip(field.type)
            }
        }
        return pair
    }
}

extension RPCError {
    /// The answer to a request whose envelope is refused.
    init(_ error: EnvelopeError) {
        switch error {
        case .malformed: self = .protocolViolation("the request envelope is malformed")
        case .limit(let message): self = .limit(message)
        }
    }
}
