/// What a JSON value is.
public enum JSONKind: Sendable, Equatable {
    case object
    case array
    case string
    case number
    case boolean
    case null
}

/// A value inside a buffer: its bytes, quotes and brackets included.
public struct JSONSpan: Sendable, Equatable {
    /// What it is.
    public var kind: JSONKind
    /// Where it is.
    public var range: Range<Int>

    /// The bytes between a string's quotes, as written.
    public var inside: Range<Int> { (self.range.lowerBound + 1)..<(self.range.upperBound - 1) }

    /// Makes a span.
    public init(kind: JSONKind, range: Range<Int>) {
        self.kind = kind
        self.range = range
    }
}

/// Why bytes are not JSON.
public struct JSONError: Error, Sendable, Equatable {
    /// What is wrong.
    public enum Reason: Sendable, Equatable {
        /// The grammar of RFC 8259 is broken.
        case syntax
        /// A string holds bytes that are not UTF-8.
        case invalidUTF8
        /// Arrays and objects are nested deeper than allowed.
        case tooDeep
        /// The value is not of the kind that was asked for.
        case wrongKind
    }

    /// What is wrong.
    public var reason: Reason
    /// At which byte.
    public var offset: Int

    /// Makes an error.
    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension JSONError: CustomStringConvertible {
    /// For people who wrote the JSON, such as "a syntax error at byte 12".
    public var description: String { "\(self.reason.words) at byte \(self.offset)" }
}

extension JSONError.Reason {
    fileprivate var words: String {
        switch self {
        case .syntax: "a syntax error"
        case .invalidUTF8: "invalid UTF-8"
        case .tooDeep: "too deep a nesting"
        case .wrongKind: "another kind of value"
        }
    }
}

/// Strict JSON (RFC 8259) by byte spans: values are validated and located, never decoded and encoded again, so that
/// numbers and escapes stay as they were written (A5-10).
public enum JSONDocument {
    /// Deepest nesting of arrays and objects.
    public static let maximumDepth = 512

    /// Validates a document: one value and white space.
    @discardableResult
    public static func validate(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONSpan {
        try self.validate(bytes, in: 0..<bytes.count)
    }

    /// Validates the document in a part of a buffer.
    public static func validate(
        _ bytes: UnsafeRawBufferPointer,
        in range: Range<Int>
    ) throws(JSONError) -> JSONSpan {
        var scanner = JSONScanner(bytes, range)
        scanner.skipSpace()
        let value = try scanner.value()
        scanner.skipSpace()
        guard scanner.isAtEnd else { throw scanner.error(.syntax) }
        return value
    }

    /// Validates an object and visits its members in order. `key` is the text between the quotes.
    /// - Throws: `JSONError` with `wrongKind` when the document is another kind of value.
    public static func members(
        of bytes: UnsafeRawBufferPointer,
        in range: Range<Int>,
        _ visit: (_ key: Range<Int>, _ value: JSONSpan) -> Void
    ) throws(JSONError) {
        var scanner = JSONScanner(bytes, range)
        try scanner.open(UInt8(ascii: "{"))
        guard try !scanner.closes(UInt8(ascii: "}")) else { return try scanner.endDocument() }
        repeat {
            let key = try scanner.key()
            visit(key, try scanner.member())
        } while try scanner.goesOn(UInt8(ascii: "}"))
        try scanner.endDocument()
    }

    /// Validates an array and visits its elements in order.
    /// - Throws: `JSONError` with `wrongKind` when the document is another kind of value.
    public static func elements(
        of bytes: UnsafeRawBufferPointer,
        in range: Range<Int>,
        _ visit: (_ value: JSONSpan) -> Void
    ) throws(JSONError) {
        var scanner = JSONScanner(bytes, range)
        try scanner.open(UInt8(ascii: "["))
        guard try !scanner.closes(UInt8(ascii: "]")) else { return try scanner.endDocument() }
        repeat {
            visit(try scanner.member())
        } while try scanner.goesOn(UInt8(ascii: "]"))
        try scanner.endDocument()
    }
}
