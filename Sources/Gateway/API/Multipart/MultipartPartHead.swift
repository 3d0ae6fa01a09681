/// What the header of a form's part says (RFC 7578).
public struct MultipartPartHead: Sendable, Equatable {
    /// Name of the form field.
    public var name: String
    /// Name of the file as the client gave it: data, never a path (A7-11). Nil when the part is no file.
    public var filename: String?

    /// Makes a head.
    public init(name: String, filename: String? = nil) {
        self.name = name
        self.filename = filename
    }

    /// Reads the header fields of a part, without the empty line after them.
    init(fields: some Collection<UInt8>, maximumFieldBytes: Int) throws(APIError) {
        var disposition: HeaderParameters?
        for line in try Self.lines(fields, maximumFieldBytes: maximumFieldBytes) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
                throw .malformedForm("a part has a header line without a name")
            }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            let value = line[line.index(after: colon)...]
            switch name {
            case "content-disposition":
                guard disposition == nil else {
                    throw .malformedForm("a part has two Content-Disposition fields")
                }
                disposition = try Self.disposition(value)
            case "content-type": try Self.check(contentType: value)
            case "content-transfer-encoding": try Self.check(transferEncoding: value)
            default: continue
            }
        }
        guard let disposition, let name = disposition["name"], !name.isEmpty else {
            throw .malformedForm("a part has no name")
        }
        self.name = name
        self.filename = try Self.filename(disposition)
    }

    private static func lines(
        _ fields: some Collection<UInt8>,
        maximumFieldBytes: Int
    ) throws(APIError) -> [ArraySlice<UInt8>] {
        let bytes = Array(fields)
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map { line in
            line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        }
        for line in lines {
            guard line.count <= maximumFieldBytes else {
                throw .malformedForm("a part has a header field of more than \(maximumFieldBytes) bytes")
            }
            guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == UInt8(ascii: "\t") }) else {
                throw .malformedForm("a part's header has a control character")
            }
            guard line.first != UInt8(ascii: " "), line.first != UInt8(ascii: "\t") else {
                throw .malformedForm("a part's header is folded over several lines")
            }
        }
        return lines
    }

    private static func disposition(_ value: ArraySlice<UInt8>) throws(APIError) -> HeaderParameters {
        guard let disposition = HeaderParameters(value.drop { $0 == UInt8(ascii: " ") }) else {
            throw .malformedForm("a part's Content-Disposition is malformed")
        }
        guard disposition.value == "form-data" else {
            throw .malformedForm("a part's Content-Disposition is not form-data")
        }
        return disposition
    }

    private static func check(contentType value: ArraySlice<UInt8>) throws(APIError) {
        guard let type = HeaderParameters(value.drop { $0 == UInt8(ascii: " ") }) else { return }
        guard !type.value.hasPrefix("multipart/") else {
            throw .malformedForm("a part is a form itself; nested forms are not supported")
        }
    }

    private static func check(transferEncoding value: ArraySlice<UInt8>) throws(APIError) {
        let encoding = HeaderParameters(value.drop { $0 == UInt8(ascii: " ") })?.value ?? ""
        guard ["binary", "8bit", "7bit"].contains(encoding) else {
            throw .malformedForm("a part is encoded; send its bytes as they are")
        }
    }

    /// `filename*` goes before `filename` (RFC 6266, section 4.3).
    private static func filename(_ disposition: HeaderParameters) throws(APIError) -> String? {
        guard let extended = disposition["filename*"] else { return disposition["filename"] }
        let parts = extended.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].lowercased() == "utf-8",
            let filename = PercentCoding.decode(parts[2], plusIsSpace: false)
        else {
            throw .malformedForm("a part's filename* is not percent-encoded UTF-8")
        }
        return filename
    }
}
