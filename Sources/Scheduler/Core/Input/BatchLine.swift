import JSONSpans

/// The parts of one line of a batch input (A3-04), as spans in its bytes.
///
/// Of the keys that matter none may stand twice, since parsers differ in which one counts.
public struct BatchLine: Sendable, Equatable {
    /// Longest `custom_id`, in bytes as written.
    public static let maximumCustomIDBytes = 512

    /// What stands between the quotes of `custom_id`.
    public var customID: Range<Int>
    /// What stands between the quotes of `url`.
    public var url: Range<Int>
    /// What stands between the quotes of the body's `model`.
    public var model: Range<Int>
    /// The body, an object.
    public var body: Range<Int>
    /// Texts that an embeddings request asks for; 1 for other requests.
    public var inputCount: Int

    /// Reads a line without its line end.
    public static func parse(_ line: UnsafeRawBufferPointer) throws(LineProblem) -> BatchLine {
        let members = try Members(line, 0..<line.count, ["custom_id", "method", "url", "body"])
        let customID = try members.string("custom_id")
        guard !customID.isEmpty, customID.count <= Self.maximumCustomIDBytes else {
            throw LineProblem(
                .invalidCustomID,
                "'custom_id' must have 1 to \(Self.maximumCustomIDBytes) bytes.",
                param: "custom_id"
            )
        }
        let method = try members.string("method")
        guard JSONString.equals(UnsafeRawBufferPointer(rebasing: line[method]), "POST") else {
            throw LineProblem(.invalidMethod, "'method' must be 'POST'.", param: "method")
        }
        let url = try members.string("url")
        let body = try members.value("body")
        guard body.kind == .object else {
            throw LineProblem(.invalidType, "'body' must be an object.", param: "body")
        }
        let fields = try Members(line, body.range, ["model", "stream", "input"], prefix: "body.")
        let model = try fields.string("model")
        guard !model.isEmpty else {
            throw LineProblem(.missingParameter, "'body.model' must not be empty.", param: "body.model")
        }
        if let stream = fields["stream"], line[stream.range.lowerBound] == UInt8(ascii: "t") {
            throw LineProblem(.streamNotSupported, "A batch request cannot be streamed.", param: "body.stream")
        }
        return BatchLine(
            customID: customID,
            url: url,
            model: model,
            body: body.range,
            inputCount: Self.inputCount(line, fields["input"])
        )
    }

    /// Finds `custom_id` and body of a line that `parse` has accepted before, in one pass.
    public static func locate(_ line: UnsafeRawBufferPointer) throws(LineProblem) -> (
        customID: Range<Int>, body: Range<Int>
    ) {
        var customID: Range<Int>?
        var body: Range<Int>?
        do throws(JSONError) {
            try JSONDocument.members(of: line, in: 0..<line.count) { key, value in
                let key = UnsafeRawBufferPointer(rebasing: line[key])
                if JSONString.equals(key, "custom_id") {
                    customID = value.inside
                } else if JSONString.equals(key, "body") {
                    body = value.range
                }
            }
        } catch {
            throw LineProblem(error)
        }
        guard let customID, let body else { throw LineProblem(.missingParameter, "The line has changed.") }
        return (customID, body)
    }

    private static func inputCount(_ line: UnsafeRawBufferPointer, _ input: JSONSpan?) -> Int {
        guard let input, input.kind == .array else { return 1 }
        var texts = 0
        try? JSONDocument.elements(of: line, in: input.range) { element in
            // An array of numbers is one tokenised text.
            texts += element.kind == .number ? 0 : 1
        }
        return max(texts, 1)
    }
}

/// The members of one object that matter.
private struct Members {
    private let names: [StaticString]
    private let prefix: String
    private var values: [JSONSpan?]

    init(
        _ line: UnsafeRawBufferPointer,
        _ range: Range<Int>,
        _ names: [StaticString],
        prefix: String = ""
    ) throws(LineProblem) {
        self.names = names
        self.prefix = prefix
        var values = [JSONSpan?](repeating: nil, count: names.count)
        var duplicate: StaticString?
        do throws(JSONError) {
            try JSONDocument.members(of: line, in: range) { key, value in
                let key = UnsafeRawBufferPointer(rebasing: line[key])
                guard let index = names.firstIndex(where: { JSONString.equals(key, $0) }) else { return }
                if values[index] != nil { duplicate = names[index] }
                values[index] = value
            }
        } catch {
            throw LineProblem(error)
        }
        self.values = values
        if let duplicate {
            throw LineProblem(.duplicateKey, "'\(prefix)\(duplicate)' stands twice.", param: "\(prefix)\(duplicate)")
        }
    }

    subscript(name: StaticString) -> JSONSpan? {
        for (index, known) in self.names.enumerated() where known.description == name.description {
            return self.values[index]
        }
        return nil
    }

    func value(_ name: StaticString) throws(LineProblem) -> JSONSpan {
        guard let value = self[name], value.kind != .null else {
            throw LineProblem(
                .missingParameter,
                "Missing required parameter: '\(self.prefix)\(name)'.",
                param: "\(self.prefix)\(name)"
            )
        }
        return value
    }

    func string(_ name: StaticString) throws(LineProblem) -> Range<Int> {
        let value = try self.value(name)
        guard value.kind == .string else {
            throw LineProblem(
                .invalidType,
                "'\(self.prefix)\(name)' must be a string.",
                param: "\(self.prefix)\(name)"
            )
        }
        return value.inside
    }
}
