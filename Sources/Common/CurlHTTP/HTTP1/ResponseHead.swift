import Glibc

/// Status and header fields of an answer, read from its bytes as they come (RFC 9112, 4 and 5). No I/O.
///
/// Interim answers (1xx) before the final one are passed over. Lines may end with LF alone. Refused is what is no field, and
/// whatever leaves open where the answer ends.
struct ResponseHead {
    /// The fields, complete at the head's end.
    private(set) var fields = HTTPResponseHeaders()
    /// HTTP status; 0 before the first line.
    private(set) var status = 0
    /// The one `Content-Length` that all such fields say.
    var contentLength: Int? { self.fields.contentLength }
    /// The body comes in chunks.
    private(set) var isChunked = false
    /// The server keeps the connection for the next request.
    var isPersistent: Bool { !self.isClosing && (self.isPersistentByVersion || self.isKeptAlive) }
    /// A byte has come.
    var hasBegun: Bool { self.bytes > 0 }

    /// Reserved for a head.
    private static let usualBytes = 512
    private static let maximumLengthDigits = 18

    /// Bytes read, those of interim answers too.
    private var bytes = 0
    private var lineStart = 0
    private var isPersistentByVersion = false
    private var isKeptAlive = false
    private var isClosing = false
    /// A continuation of the line before would change how the answer is read.
    private var isFraming = false

    /// Takes the bytes that belong to the head.
    /// - Returns: how many they were, and whether the head is complete.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(MalformedResponse) -> (consumed: Int, isComplete: Bool) {
        guard let base = bytes.baseAddress else { return (0, false) }
        if self.fields.raw.isEmpty { self.fields.raw.reserveCapacity(Self.usualBytes) }
        var start = 0
        while start < bytes.count {
            let lineFeed = memchr(base + start, 0x0A, bytes.count - start)
            let end = lineFeed.map { UnsafeRawPointer($0) - base + 1 } ?? bytes.count
            self.bytes += end - start
            guard self.bytes <= HTTPResponseHeaders.maximumBytes else {
                throw MalformedResponse(
                    "the answer's header is larger than \(HTTPResponseHeaders.maximumBytes) bytes"
                )
            }
            self.fields.raw.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            start = end
            if lineFeed != nil, try self.endLine() { return (start, true) }
        }
        return (start, false)
    }

    /// A line is complete; whether the head is.
    private mutating func endLine() throws(MalformedResponse) -> Bool {
        let start = self.lineStart
        var end = self.fields.raw.count - 1
        if end > start, self.fields.raw[end - 1] == 0x0D { end -= 1 }
        self.lineStart = self.fields.raw.count
        if self.status == 0 {
            try self.readStatusLine(start..<end)
        } else if start == end {
            return try self.endHead()
        } else {
            try self.readField(start..<end)
        }
        return false
    }

    private mutating func endHead() throws(MalformedResponse) -> Bool {
        guard self.status < 200 else {
            // Of an answer with a length too, or of HTTP/1.0, not all agree that it is chunked: the connection is not
            // used again (RFC 9112, 6.1 and 6.3).
            if self.isChunked, self.contentLength != nil || !self.isPersistentByVersion {
                self.fields.contentLength = nil
                self.isClosing = true
            }
            return true
        }
        guard self.status != 101 else { throw MalformedResponse("the answer changes the protocol, unasked") }
        self.fields.raw.removeAll(keepingCapacity: true)
        (self.lineStart, self.status, self.isFraming) = (0, 0, false)
        (self.fields.contentLength, self.isChunked, self.isKeptAlive) = (nil, false, false)
        return false
    }

    // MARK: - Lines

    /// `HTTP/1.x SP 3DIGIT [SP reason]`.
    private mutating func readStatusLine(_ line: Range<Int>) throws(MalformedResponse) {
        let version: StaticString = "HTTP/1."
        let raw = self.fields.raw
        guard line.count >= 12, raw[line].starts(with: UnsafeRawBufferPointer(version)),
            Self.isDigit(raw[line.lowerBound + 7]), raw[line.lowerBound + 8] == 0x20,
            line.count == 12 || raw[line.lowerBound + 12] == 0x20
        else { throw MalformedResponse("what came is no answer of HTTP/1") }
        var status = 0
        for byte in raw[(line.lowerBound + 9)..<(line.lowerBound + 12)] {
            guard Self.isDigit(byte) else { throw MalformedResponse("the answer's status is no number") }
            status = status * 10 + Int(byte - UInt8(ascii: "0"))
        }
        guard status >= 100 else { throw MalformedResponse("the answer's status is no status") }
        try self.checkValue((line.lowerBound + 12)..<line.upperBound)
        self.status = status
        // Of HTTP/1.0 a connection is kept only when the server says so.
        self.isPersistentByVersion = raw[line.lowerBound + 7] != UInt8(ascii: "0")
    }

    private mutating func readField(_ line: Range<Int>) throws(MalformedResponse) {
        let first = self.fields.raw[line.lowerBound]
        guard first != 0x20, first != 0x09 else {
            guard !self.isFraming else { throw MalformedResponse("a field that tells the answer's end is continued") }
            return try self.checkValue(line)
        }
        var colon = line.lowerBound
        while colon < line.upperBound, self.fields.raw[colon] != UInt8(ascii: ":") {
            guard Self.isTokenByte(self.fields.raw[colon]) else {
                throw MalformedResponse("the answer's header has a line that is no field")
            }
            colon += 1
        }
        guard colon > line.lowerBound, colon < line.upperBound else {
            throw MalformedResponse("the answer's header has a line that is no field")
        }
        try self.checkValue((colon + 1)..<line.upperBound)
        try self.readFraming(name: line.lowerBound..<colon, value: self.trimmed((colon + 1)..<line.upperBound))
    }

    /// Looks for the fields that tell where the answer ends and what becomes of the connection.
    private mutating func readFraming(name: Range<Int>, value: Range<Int>) throws(MalformedResponse) {
        self.isFraming = true
        switch name.count {
        case 10 where self.equals(name, "connection"): self.readConnection(value)
        case 14 where self.equals(name, "content-length"): try self.readLength(value)
        case 17 where self.equals(name, "transfer-encoding"): try self.readCoding(value)
        default: self.isFraming = false
        }
    }

    private mutating func readLength(_ value: Range<Int>) throws(MalformedResponse) {
        guard (1...Self.maximumLengthDigits).contains(value.count), self.fields.raw[value].allSatisfy(Self.isDigit)
        else {
            throw MalformedResponse("the answer's Content-Length is no number")
        }
        let length = self.fields.raw[value].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        guard self.contentLength == nil || self.contentLength == length else {
            throw MalformedResponse("the answer has two lengths")
        }
        self.fields.contentLength = length
    }

    private mutating func readCoding(_ value: Range<Int>) throws(MalformedResponse) {
        // No other coding was asked for, and none may be applied twice.
        guard !self.isChunked, self.equals(value, "chunked") else {
            throw MalformedResponse("the answer has a transfer coding other than chunked")
        }
        self.isChunked = true
    }

    private mutating func readConnection(_ value: Range<Int>) {
        var start = value.lowerBound
        while start < value.upperBound {
            let end = self.fields.raw[start..<value.upperBound].firstIndex(of: UInt8(ascii: ",")) ?? value.upperBound
            let option = self.trimmed(start..<end)
            if self.equals(option, "close") { self.isClosing = true }
            if self.equals(option, "keep-alive") { self.isKeptAlive = true }
            start = end + 1
        }
    }
}

// MARK: - Bytes

extension ResponseHead {
    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// What a field's name may hold: what RFC 9110, 5.1 allows, and separators that are used all the same.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F
    }

    private func checkValue(_ range: Range<Int>) throws(MalformedResponse) {
        for byte in self.fields.raw[range] where byte < 0x20 && byte != 0x09 || byte == 0x7F {
            throw MalformedResponse("the answer's header holds a control byte")
        }
    }

    private func trimmed(_ range: Range<Int>) -> Range<Int> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, isBlank(self.fields.raw[start]) { start += 1 }
        while end > start, isBlank(self.fields.raw[end - 1]) { end -= 1 }
        return start..<end
    }

    /// Whether the bytes are this text, which is in lower case, in any case.
    private func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for (index, expected) in zip(range, UnsafeRawBufferPointer(text)) {
            let byte = self.fields.raw[index]
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            guard (isUpper ? byte | 0x20 : byte) == expected else { return false }
        }
        return true
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes of a text that is in the program.
    init(_ text: StaticString) {
        self.init(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
