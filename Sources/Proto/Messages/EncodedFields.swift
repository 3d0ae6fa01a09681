/// Fields of a protobuf message as they stand on the wire: made once for what many calls send.
package struct EncodedFields: Sendable, Hashable {
    /// The fields, in the order in which they were added.
    package private(set) var bytes: [UInt8] = []

    /// No fields.
    package init() {}

    /// The fields `service` and `method` of a ttrpc `Request`.
    package init(service: String, method: String) {
        self.bytes.reserveCapacity(Self.size(of: service) + Self.size(of: method))
        self.append(service, as: 1)
        self.append(method, as: 2)
    }

    /// The fields `metadata` of a ttrpc `Request`.
    package init(metadata: [Envelope.KeyValue]) {
        self.bytes.reserveCapacity(metadata.reduce(0) { $0 + 1 + Self.longestVarintBytes + Self.size(of: $1) })
        for pair in metadata {
            self.append(length: Self.size(of: pair), as: 5)
            self.append(pair.key, as: 1)
            self.append(pair.value, as: 2)
        }
    }

    /// An empty text is left out, as proto3 does.
    private mutating func append(_ text: String, as number: UInt8) {
        guard !text.isEmpty else { return }
        self.append(length: text.utf8.count, as: number)
        self.bytes += text.utf8
    }

    /// - Parameter number: of the field, at most 15.
    private mutating func append(length: Int, as number: UInt8) {
        self.bytes.append(number << 3 | 2)
        var rest = length
        while rest >= 0x80 {
            self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private static var longestVarintBytes: Int { 10 }

    private static func size(of pair: Envelope.KeyValue) -> Int {
        self.size(of: pair.key) + self.size(of: pair.value)
    }

    private static func size(of text: String) -> Int {
        let count = text.utf8.count
        return count == 0 ? 0 : 1 + (70 - UInt64(count).leadingZeroBitCount) / 7 + count
    }
}
