internal import JSONSpans
public import NIOCore

/// The end of an engine's answer, in which it tells how many tokens it has used (A1-10): the `usage` of a whole answer, or of
/// the last event of a stream that has one. No I/O.
public struct AnswerTail: Sendable {
    /// Bytes that are looked at.
    public static let maximumBytes = 64 << 10
    /// Largest number of tokens of one answer that is believed.
    public static let maximumTokens = Int(UInt32.max)

    private static let key = Array("\"usage\"".utf8)

    private var bytes = ByteBuffer()

    /// Nothing has come.
    public init() {}

    /// Bytes that are held: at most twice those that are looked at, so that few have to be moved.
    var heldBytes: Int { self.bytes.readableBytes }

    /// A piece of the answer is passed on.
    public mutating func passed(_ piece: ByteBuffer) {
        var piece = piece
        piece.moveReaderIndex(forwardBy: max(0, piece.readableBytes - Self.maximumBytes))
        if self.bytes.readableBytes + piece.readableBytes > 2 * Self.maximumBytes {
            self.bytes.moveReaderIndex(forwardBy: max(0, self.bytes.readableBytes - Self.maximumBytes))
            self.bytes.discardReadBytes()
        }
        self.bytes.writeBuffer(&piece)
    }

    /// All tokens that the answer says it has used; nil when it does not say.
    ///
    /// Only the object itself is parsed. Inside a JSON string there are no quotes without a backslash, so text that a model
    /// has written is not taken for it.
    public var totalTokens: Int? {
        self.bytes.withUnsafeReadableBytes { bytes in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.maximumBytes))
            var end = bytes.count
            while let start = Self.lastKey(in: bytes[..<end]) {
                if let tokens = Self.tokens(bytes, behind: start + Self.key.count) { return tokens }
                end = start
            }
            return nil
        }
    }

    /// Where the last `"usage"` begins that is no part of a string.
    private static func lastKey(in bytes: Slice<UnsafeRawBufferPointer>) -> Int? {
        var start = bytes.endIndex - self.key.count
        while start > bytes.startIndex {
            if bytes[start] == self.key[0], bytes[start - 1] != UInt8(ascii: "\\"),
                bytes[start..<(start + self.key.count)].elementsEqual(self.key)
            {
                return start
            }
            start -= 1
        }
        return nil
    }

    /// The tokens of the object that is the value of a key; nil when it is none.
    private static func tokens(_ bytes: UnsafeRawBufferPointer, behind key: Int) -> Int? {
        func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
        guard let colon = bytes[key...].firstIndex(where: { !isSpace($0) }), bytes[colon] == UInt8(ascii: ":"),
            let start = bytes[(colon + 1)...].firstIndex(where: { !isSpace($0) }), bytes[start] == UInt8(ascii: "{"),
            let end = self.end(ofObjectIn: bytes, from: start)
        else { return nil }
        var total: Int?
        var parts = 0
        let visited: Void? = try? JSONDocument.members(of: bytes, in: start..<end) { key, value in
            guard let number = self.number(bytes, value) else { return }
            let name = UnsafeRawBufferPointer(rebasing: bytes[key])
            if JSONString.equals(name, "total_tokens") { total = number }
            if JSONString.equals(name, "prompt_tokens") || JSONString.equals(name, "input_tokens") { parts += number }
            if JSONString.equals(name, "completion_tokens") || JSONString.equals(name, "output_tokens") {
                parts += number
            }
        }
        guard visited != nil, total != nil || parts > 0 else { return nil }
        return min(total ?? parts, self.maximumTokens)
    }

    /// The place behind the object; nil when its end is missing.
    private static func end(ofObjectIn bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var depth = 0
        var isInString = false
        var isEscaped = false
        for index in start..<bytes.count {
            let byte = bytes[index]
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 { return index + 1 }
            default: break
            }
        }
        return nil
    }

    /// A count; nil for what is not a whole number of at most ten digits.
    private static func number(_ bytes: UnsafeRawBufferPointer, _ span: JSONSpan) -> Int? {
        guard span.kind == .number, span.range.count <= 10 else { return nil }
        return Int(String(decoding: bytes[span.range], as: UTF8.self)).flatMap { $0 >= 0 ? $0 : nil }
    }
}
