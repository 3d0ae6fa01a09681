import ProtoMessages

/// The fields of an envelope around its payload: their sizes first, so that all is written at once.
@usableFromInline
struct EnvelopeFields {
    /// What a request tells besides its payload; nil: a response, or no such fields.
    private let head: FrameEncoding.Head?
    private let payloadNumber: UInt8
    /// Sizes of the fields before and behind the payload.
    private let leadingBytes: Int
    private let trailingBytes: Int

    /// Those of a `Response`.
    static var response: EnvelopeFields { EnvelopeFields() }

    private init() {
        self.head = nil
        self.payloadNumber = 2
        self.leadingBytes = 0
        self.trailingBytes = 0
    }

    /// Those of a `Request`.
    init(of head: FrameEncoding.Head) {
        self.head = head
        self.payloadNumber = 3
        self.leadingBytes = head.names.bytes.count
        let timeout = UInt64(bitPattern: head.timeoutNanoseconds)
        self.trailingBytes = (timeout == 0 ? 0 : 1 + Self.varintBytes(timeout)) + head.metadata.bytes.count
    }

    /// Size of the whole envelope. An empty payload is left out, as proto3 does.
    func byteCount(withPayloadOf payloadBytes: Int) -> Int {
        let prefix = payloadBytes > 0 ? 1 + Self.varintBytes(UInt64(payloadBytes)) : 0
        return self.leadingBytes + prefix + payloadBytes + self.trailingBytes
    }

    /// Writes the fields up to the payload's length.
    func writeLeading(payloadBytes: Int, to writer: inout FieldWriter) {
        if let head { writer.bytes(head.names.bytes) }
        if payloadBytes > 0 { writer.lengthDelimited(self.payloadNumber, payloadBytes) }
    }

    /// Writes the fields behind the payload.
    func writeTrailing(to writer: inout FieldWriter) {
        guard let head else { return }
        if head.timeoutNanoseconds != 0 {
            writer.byte(4 << 3)
            writer.varint(UInt64(bitPattern: head.timeoutNanoseconds))
        }
        writer.bytes(head.metadata.bytes)
    }

    private static func varintBytes(_ value: UInt64) -> Int {
        value == 0 ? 1 : (70 - value.leadingZeroBitCount) / 7
    }
}
