import JSONSpans
import NIOCore

/// The requests of a batch that stand in the body of its create, in place of an input file.
///
/// Their bytes are taken as they are written: each becomes a line of the input. `custom_id`, `method` and `url` may be
/// left out, since the batch says them already or nothing depends on them.
struct InlineRequests {
    /// Most bytes of all lines.
    static let maximumBytes = 768 << 10
    /// Most requests.
    static let maximumRequests = 10_000

    /// The elements, as spans in the body.
    private let elements: [JSONSpan]
    private let body: ByteBuffer

    /// Finds the member `requests` of a body, and gives the body without it; nil: it has none.
    ///
    /// - Throws: 400 when it is no array of objects, when there are too many, or when it stands there twice.
    static func extract(from body: inout ByteBuffer) throws(APIError) -> InlineRequests? {
        let found = try Self.find(in: body)
        guard let first = found.first else { return nil }
        guard found.count == 1 else { throw .invalidValue("'requests' stands twice in the body.", param: "requests") }
        let requests = try InlineRequests(first, of: body)
        // Kept out of the way of everything that decodes the body: they may be nested as deeply as they like.
        var rest = ByteBuffer()
        let bytes = body.readableBytesView
        rest.writeBytes(bytes[bytes.startIndex..<(bytes.startIndex + first.range.lowerBound)])
        rest.writeStaticString("true")
        rest.writeBytes(bytes[(bytes.startIndex + first.range.upperBound)...])
        body = rest
        return requests
    }

    private static func find(in body: ByteBuffer) throws(APIError) -> [JSONSpan] {
        var found: [JSONSpan] = []
        do {
            try body.withUnsafeReadableBytes { bytes in
                try JSONDocument.members(of: bytes, in: 0..<bytes.count) { key, value in
                    if JSONString.equals(UnsafeRawBufferPointer(rebasing: bytes[key]), "requests") {
                        found.append(value)
                    }
                }
            }
        } catch {
            // Whoever decodes the body says what is wrong with it.
            return []
        }
        return found
    }

    private init(_ requests: JSONSpan, of body: ByteBuffer) throws(APIError) {
        var elements: [JSONSpan] = []
        do {
            try body.withUnsafeReadableBytes { bytes in
                try JSONDocument.elements(of: bytes, in: requests.range) { elements.append($0) }
            }
        } catch {
            throw .invalidRequest(
                "Invalid type for 'requests': expected an array of objects.",
                param: "requests",
                code: "invalid_type"
            )
        }
        guard !elements.isEmpty else { throw .invalidValue("'requests' must not be empty.", param: "requests") }
        guard elements.count <= Self.maximumRequests else {
            throw .invalidValue(
                "'requests' has \(elements.count) requests; at most \(Self.maximumRequests) are allowed here. Upload "
                    + "more as a file.",
                param: "requests"
            )
        }
        if let wrong = elements.firstIndex(where: { $0.kind != .object }) {
            throw .invalidRequest(
                "Invalid type for 'requests[\(wrong)]': expected an object.",
                param: "requests[\(wrong)]",
                code: "invalid_type"
            )
        }
        self.elements = elements
        self.body = body
    }

    /// The lines of the input file.
    ///
    /// - Parameter endpoint: the `url` of requests that name none.
    /// - Throws: 400 when they are too large.
    func lines(endpoint: String) throws(APIError) -> ByteBuffer {
        var lines = ByteBuffer()
        self.body.withUnsafeReadableBytes { bytes in
            for (index, element) in self.elements.enumerated() where lines.readableBytes <= Self.maximumBytes {
                let object = UnsafeRawBufferPointer(rebasing: bytes[element.range])
                Self.append(object, number: index + 1, endpoint: endpoint, to: &lines)
            }
        }
        guard lines.readableBytes <= Self.maximumBytes else {
            throw .invalidValue(
                "'requests' has more than \(Self.maximumBytes >> 10) KiB. Upload that much as a file.",
                param: "requests"
            )
        }
        return lines
    }

    private static func append(
        _ object: UnsafeRawBufferPointer,
        number: Int,
        endpoint: String,
        to lines: inout ByteBuffer
    ) {
        var absent: [(name: StaticString, value: String)] = [
            ("custom_id", "request-\(number)"), ("method", "POST"), ("url", endpoint),
        ]
        var isEmpty = true
        // It was read before, so it is an object.
        try? JSONDocument.members(of: object, in: 0..<object.count) { key, _ in
            isEmpty = false
            absent.removeAll { JSONString.equals(UnsafeRawBufferPointer(rebasing: object[key]), $0.name) }
        }
        lines.writeStaticString("{")
        var added: [UInt8] = []
        for (index, (name, value)) in absent.enumerated() {
            added.append(contentsOf: "\(index == 0 ? "" : ",")\"\(name)\":".utf8)
            JSONString.appendEncoded(value, to: &added)
        }
        if !absent.isEmpty, !isEmpty { added.append(UInt8(ascii: ",")) }
        lines.writeBytes(added)
        // Between tokens a line end is white space; inside a string it cannot be.
        lines.writeBytes(object.dropFirst().map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
        lines.writeStaticString("\n")
    }
}
