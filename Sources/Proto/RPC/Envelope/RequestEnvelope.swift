import NIOCore
import ProtoMessages

/// The `Request` envelope (G3) as a server reads it: checked and within its limits, and all of it still in the bytes that
/// arrived. Most calls need neither the names as text nor the metadata.
struct RequestEnvelope: Sendable {
    private let data: ByteBuffer
    /// Offsets into `data`.
    private let serviceRange: Range<Int>
    private let methodRange: Range<Int>
    private let payloadRange: Range<Int>
    /// 0: no limit; negative: already over (G3-05).
    let timeoutNanoseconds: Int64
    private let hasMetadata: Bool
    private let keysAreLowerCase: Bool

    /// The encoded message, in the bytes that arrived.
    var payload: ByteBuffer { self.data.slice(in: self.payloadRange) }
    /// Its pairs, in the bytes that arrived.
    var metadata: RPCMetadata {
        self.hasMetadata ? RPCMetadata(checked: self.data, keysAreLowerCase: self.keysAreLowerCase) : RPCMetadata()
    }

    var service: String { self.data.text(in: self.serviceRange) }
    var method: String { self.data.text(in: self.methodRange) }

    /// Calls `body` with the names' bytes.
    func withNames<Result>(_ body: (_ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer) -> Result)
        -> Result
    {
        self.data.withUnsafeReadableBytes { bytes in
            body(.init(rebasing: bytes[self.serviceRange]), .init(rebasing: bytes[self.methodRange]))
        }
    }
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
        self.data = data
        var scan = EnvelopeScan()
        try data.withUnsafeReadableBytes { bytes throws(EnvelopeError) in
            try scan.read(bytes, limits: limits)
        }
        self.serviceRange = scan.service
        self.methodRange = scan.method
        self.payloadRange = scan.payload
        self.timeoutNanoseconds = scan.timeoutNanoseconds
        self.hasMetadata = scan.metadataPairs > 0
        self.keysAreLowerCase = scan.keysAreLowerCase
    }
}

/// Where the fields of an envelope are, found in one pass.
private struct EnvelopeScan {
    var service = 0..<0
    var method = 0..<0
    var payload = 0..<0
    var timeoutNanoseconds: Int64 = 0
    var metadataPairs = 0
    var keysAreLowerCase = true
    private var nameBytes = 0
    private var metadataBytes = 0

    mutating func read(_ bytes: UnsafeRawBufferPointer, limits: EnvelopeLimits) throws(EnvelopeError) {
        var reader = ProtoFieldReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.type) {
            case (1, .bytes): self.service = try self.name(&reader, limits)
            case (2, .bytes): self.method = try self.name(&reader, limits)
            case (3, .bytes): self.payload = try reader.content()
            case (4, .varint): self.timeoutNanoseconds = Int64(bitPattern: try reader.varint())
            case (5, .bytes): try self.pair(bytes, in: try reader.content(), limits)
            case (1...5, _): throw .malformed
            default: try reader.skip(field.type)
            }
        }
    }

    private mutating func name(
        _ reader: inout ProtoFieldReader,
        _ limits: EnvelopeLimits
    ) throws(EnvelopeError) -> Range<Int> {
        try reader.text { count throws(EnvelopeError) in
            self.nameBytes += count
            guard self.nameBytes <= limits.maximumNameBytes else {
                throw .limit("the names of service and method are longer than \(limits.maximumNameBytes) bytes")
            }
        }
    }

    private mutating func pair(
        _ bytes: UnsafeRawBufferPointer,
        in range: Range<Int>,
        _ limits: EnvelopeLimits
    ) throws(EnvelopeError) {
        self.metadataPairs += 1
        guard self.metadataPairs <= limits.maximumMetadataPairs else {
            throw .limit("more than \(limits.maximumMetadataPairs) pairs of metadata")
        }
        self.metadataBytes += range.count
        guard self.metadataBytes <= limits.maximumMetadataBytes else {
            throw .limit("more than \(limits.maximumMetadataBytes) bytes of metadata")
        }
        let pair = try MetadataPair(reading: bytes, in: range)
        self.keysAreLowerCase = self.keysAreLowerCase && Self.isLowerCase(bytes, in: pair.key)
    }

    /// Whether a key is as it would be lower-cased, which is only looked at where it is ASCII.
    private static func isLowerCase(_ bytes: UnsafeRawBufferPointer, in key: Range<Int>) -> Bool {
        for offset in key {
            let byte = bytes[offset]
            if byte >= 0x80 || (byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")) { return false }
        }
        return true
    }
}

/// Where key and value of a pair of metadata are.
struct MetadataPair {
    private(set) var key = 0..<0
    private(set) var value = 0..<0

    /// Reads and checks the content of one field 5 of an envelope.
    init(reading bytes: UnsafeRawBufferPointer, in range: Range<Int>) throws(EnvelopeError) {
        var fields = ProtoFieldReader(bytes, in: range)
        while let field = try fields.next() {
            switch (field.number, field.type) {
            case (1, .bytes): self.key = try fields.text()
            case (2, .bytes): self.value = try fields.text()
            case (1...2, _): throw .malformed
            default: try fields.skip(field.type)
            }
        }
    }
}

extension RequestEnvelope: Equatable {
    static func == (left: Self, right: Self) -> Bool {
        left.service == right.service && left.method == right.method && left.payload == right.payload
            && left.timeoutNanoseconds == right.timeoutNanoseconds && left.metadata == right.metadata
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
