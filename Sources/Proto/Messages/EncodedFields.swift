/// Fields of a protobuf message as they stand on the wire: made once for what many calls send.
package struct EncodedFields: Sendable, Hashable {
    /// The fields, in the order in which they were added.
    package private(set) var bytes: [UInt8] = []

    /// No fields.
    package init() {}

    /// The fields `service` and `method` of a ttrpc `Request`.
    package init(service: String, method: String) {
        self.append(service, as: 1)
        self.append(method, as: 2)
    }

    /// The fields `metadata` of a ttrpc `Request`.
    package init(metadata: [Envelope.KeyValue]) {
        for pair in metadata {
            var content = EncodedFields()
            content.append(pair.key, as: 1)
            content.append(pair.value, as: 2)
            self.append(content: content.bytes, as: 5)
        }
    }

    /// An empty text is left out, as proto3 does.
    private mutating func append(_ text: String, as number: UInt8) {
        if !text.isEmpty { self.append(content: Array(text.utf8), as: number) }
    }

    /// - Parameter number: of the field, at most 15.
    private mutating func append(content: [UInt8], as number: UInt8) {
        self.bytes.append(number << 3 | 2)
        var length = content.count
        while length >= 0x80 {
            self.bytes.append(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        self.bytes.append(UInt8(truncatingIfNeeded: length))
        self.bytes += content
    }
}
