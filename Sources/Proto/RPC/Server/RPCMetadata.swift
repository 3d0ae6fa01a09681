import NIOCore
public import ProtoMessages

/// Metadata of a call: pairs of text. Keys are lower case and may repeat (G3-04).
public struct RPCMetadata: Sendable {
    private enum Storage: Sendable {
        case pairs([Envelope.KeyValue])
        /// The request envelope as it came, which was checked. Handlers that do not look cost no text.
        case envelope(ByteBuffer, keysAreLowerCase: Bool)
    }

    private let storage: Storage

    /// Takes pairs; keys are lower-cased.
    public init(_ pairs: [(String, String)] = []) {
        self.storage = .pairs(pairs.map { Envelope.KeyValue(key: $0.0.lowercased(), value: $0.1) })
    }

    /// Takes the pairs of a request envelope, of which every field was read without an error.
    init(checked envelope: ByteBuffer, keysAreLowerCase: Bool) {
        self.storage = .envelope(envelope, keysAreLowerCase: keysAreLowerCase)
    }

    /// The pairs, in the order in which they were sent.
    public var pairs: [Envelope.KeyValue] {
        switch self.storage {
        case .pairs(let pairs):
            return pairs
        case .envelope(let data, let keysAreLowerCase):
            var pairs: [Envelope.KeyValue] = []
            Self.forEachPair(of: data) { pair, _ in
                let key = data.text(in: pair.key)
                pairs.append(
                    Envelope.KeyValue(
                        key: keysAreLowerCase ? key : key.lowercased(),
                        value: data.text(in: pair.value)
                    )
                )
                return true
            }
            return pairs
        }
    }

    /// The first value of a key, given in lower case.
    public subscript(key: String) -> String? {
        guard case .envelope(let data, keysAreLowerCase: true) = self.storage else {
            return self.pairs.first { $0.key == key }?.value
        }
        var value: Range<Int>?
        Self.forEachPair(of: data) { pair, bytes in
            guard bytes[pair.key].elementsEqual(key.utf8) else { return true }
            value = pair.value
            return false
        }
        return value.map { data.text(in: $0) }
    }

    /// All values of a key, given in lower case.
    public func values(of key: String) -> [String] {
        self.pairs.filter { $0.key == key }.map(\.value)
    }

    /// Walks over the pairs while `body` gives true.
    private static func forEachPair(
        of envelope: ByteBuffer,
        _ body: (MetadataPair, UnsafeRawBufferPointer) -> Bool
    ) {
        envelope.withUnsafeReadableBytes { bytes in
            var reader = ProtoFieldReader(bytes)
            // The envelope was checked: nothing throws.
            while let field = try? reader.next() {
                if field.number == 5 {
                    guard let range = try? reader.content(), let pair = try? MetadataPair(reading: bytes, in: range),
                        body(pair, bytes)
                    else { return }
                } else if (try? reader.skip(field.type)) == nil {
                    return
                }
            }
        }
    }
}

extension RPCMetadata: Equatable {
    /// Whether both hold the same pairs in the same order.
    public static func == (left: Self, right: Self) -> Bool {
        left.pairs == right.pairs
    }
}
