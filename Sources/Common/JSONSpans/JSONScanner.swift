/// Walks over JSON text. Iterative, so that nesting costs no stack.
struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private var position: Int

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.bytes = bytes
        self.position = range.lowerBound
        self.end = range.upperBound
    }

    var isAtEnd: Bool { self.position == self.end }

    func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason, at: self.position) }

    private var next: UInt8? { self.position < self.end ? self.bytes[self.position] : nil }

    mutating func skipSpace() {
        while self.position < self.end {
            switch self.bytes[self.position] {
            case 0x20, 0x0A, 0x0D, 0x09: self.position += 1
            default: return
            }
        }
    }
}

// MARK: - Members of one container

extension JSONScanner {
    /// Steps over the bracket that opens the document.
    mutating func open(_ bracket: UInt8) throws(JSONError) {
        self.skipSpace()
        guard let found = self.next else { throw self.error(.syntax) }
        guard found == bracket else {
            // Another kind of value is only the wrong kind when it is one at all.
            _ = try self.value()
            throw self.error(.wrongKind)
        }
        self.position += 1
    }

    /// Whether the container is empty; steps over the bracket then.
    mutating func closes(_ bracket: UInt8) throws(JSONError) -> Bool {
        self.skipSpace()
        guard self.next == bracket else { return false }
        self.position += 1
        return true
    }

    /// Whether another member follows; otherwise steps over the closing bracket.
    mutating func goesOn(_ bracket: UInt8) throws(JSONError) -> Bool {
        self.skipSpace()
        guard let byte = self.next, byte == bracket || byte == UInt8(ascii: ",") else { throw self.error(.syntax) }
        self.position += 1
        return byte != bracket
    }

    /// A key and its colon; gives the text between the quotes.
    mutating func key() throws(JSONError) -> Range<Int> {
        self.skipSpace()
        guard self.next == UInt8(ascii: "\"") else { throw self.error(.syntax) }
        let start = self.position + 1
        try self.string()
        let key = start..<(self.position - 1)
        self.skipSpace()
        guard self.next == UInt8(ascii: ":") else { throw self.error(.syntax) }
        self.position += 1
        return key
    }

    /// The value of a member.
    mutating func member() throws(JSONError) -> JSONSpan {
        self.skipSpace()
        return try self.value()
    }

    /// Nothing but white space may follow the document.
    mutating func endDocument() throws(JSONError) {
        self.skipSpace()
        guard self.isAtEnd else { throw self.error(.syntax) }
    }
}

// MARK: - Values

extension JSONScanner {
    /// Steps over one value of any kind.
    mutating func value() throws(JSONError) -> JSONSpan {
        let start = self.position
        let kind: JSONKind
        switch self.next {
        case UInt8(ascii: "{"):
            kind = .object
            try self.container()
        case UInt8(ascii: "["):
            kind = .array
            try self.container()
        default: kind = try self.scalar()
        }
        return JSONSpan(kind: kind, range: start..<self.position)
    }

    /// Steps over an array or object and everything in it. One bit a level says which of the two it is.
    private mutating func container() throws(JSONError) {
        var levels = NestingStack()
        try self.enter(&levels)
        var isFresh = true
        while true {
            self.skipSpace()
            if isFresh, self.next == levels.closingBracket {
                self.position += 1
                levels.pop()
                if levels.depth == 0 { return }
            } else {
                if levels.isObject { _ = try self.key() }
                self.skipSpace()
                if self.next == UInt8(ascii: "{") || self.next == UInt8(ascii: "[") {
                    try self.enter(&levels)
                    isFresh = true
                    continue
                }
                _ = try self.scalar()
            }
            // A value has ended: leave containers until another member follows.
            while try !self.goesOn(levels.closingBracket) {
                levels.pop()
                if levels.depth == 0 { return }
            }
            isFresh = false
        }
    }

    /// Steps into a container.
    private mutating func enter(_ levels: inout NestingStack) throws(JSONError) {
        guard levels.depth < JSONDocument.maximumDepth else { throw self.error(.tooDeep) }
        levels.push(self.next == UInt8(ascii: "{"))
        self.position += 1
    }

    private mutating func scalar() throws(JSONError) -> JSONKind {
        guard let byte = self.next else { throw self.error(.syntax) }
        switch byte {
        case UInt8(ascii: "\""):
            try self.string()
            return .string
        case UInt8(ascii: "t"):
            try self.literal("true")
            return .boolean
        case UInt8(ascii: "f"):
            try self.literal("false")
            return .boolean
        case UInt8(ascii: "n"):
            try self.literal("null")
            return .null
        default:
            try self.number()
            return .number
        }
    }

    private mutating func literal(_ text: StaticString) throws(JSONError) {
        let count = text.utf8CodeUnitCount
        let expected = UnsafeRawBufferPointer(start: text.utf8Start, count: count)
        guard self.end - self.position >= count,
            self.bytes[self.position..<(self.position + count)].elementsEqual(expected)
        else { throw self.error(.syntax) }
        self.position += count
    }

    private mutating func number() throws(JSONError) {
        if self.next == UInt8(ascii: "-") { self.position += 1 }
        if self.next == UInt8(ascii: "0") {
            self.position += 1
        } else {
            try self.digits()
        }
        if self.next == UInt8(ascii: ".") {
            self.position += 1
            try self.digits()
        }
        if self.next == UInt8(ascii: "e") || self.next == UInt8(ascii: "E") {
            self.position += 1
            if self.next == UInt8(ascii: "+") || self.next == UInt8(ascii: "-") { self.position += 1 }
            try self.digits()
        }
    }

    private mutating func digits() throws(JSONError) {
        let start = self.position
        while let byte = self.next, byte &- UInt8(ascii: "0") < 10 { self.position += 1 }
        guard self.position > start else { throw self.error(.syntax) }
    }
}

// MARK: - Strings

extension JSONScanner {
    /// Steps over a string, eight plain bytes at a time.
    private mutating func string() throws(JSONError) {
        self.position += 1
        while true {
            self.skipPlain()
            guard let byte = self.next else { throw self.error(.syntax) }
            switch byte {
            case UInt8(ascii: "\""):
                self.position += 1
                return
            case UInt8(ascii: "\\"): try self.escape()
            case 0x80...: try self.multiByte(byte)
            case ..<0x20: throw self.error(.syntax)
            default: self.position += 1
            }
        }
    }

    /// Skips words in which no byte is a quote, a backslash, a control byte or beyond ASCII.
    private mutating func skipPlain() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while self.position + 8 <= self.end {
            let word = self.bytes.loadUnaligned(fromByteOffset: self.position, as: UInt64.self)
            let quotes = word ^ (ones &* 0x22)
            let backslashes = word ^ (ones &* 0x5C)
            // A byte of zero borrows from its top bit; a false alarm only leaves the fast path.
            let special =
                (quotes &- ones) | (backslashes &- ones) | (word &- (ones &* 0x20)) | word
            guard special & highs == 0 else { return }
            self.position += 8
        }
    }

    private mutating func escape() throws(JSONError) {
        self.position += 1
        guard let byte = self.next else { throw self.error(.syntax) }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            self.position += 1
        case UInt8(ascii: "u"):
            self.position += 1
            for _ in 0..<4 {
                guard let digit = self.next, digit.hexadecimalValue != nil else { throw self.error(.syntax) }
                self.position += 1
            }
        default: throw self.error(.syntax)
        }
    }

    /// One UTF-8 sequence, by the table of the Unicode standard (3.9, well-formed byte sequences).
    private mutating func multiByte(_ lead: UInt8) throws(JSONError) {
        let second: ClosedRange<UInt8>
        let length: Int
        switch lead {
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw self.error(.invalidUTF8)
        }
        guard self.position + length <= self.end, second.contains(self.bytes[self.position + 1]) else {
            throw self.error(.invalidUTF8)
        }
        for index in (self.position + 2)..<max(self.position + length, self.position + 2)
        where self.bytes[index] & 0xC0 != 0x80 {
            throw self.error(.invalidUTF8)
        }
        self.position += length
    }
}

/// Which of the containers around the current value are objects: one bit a level, without memory of its own.
private struct NestingStack {
    private(set) var depth = 0
    private var words: InlineArray<8, UInt64> = .init(repeating: 0)

    /// Whether the innermost container is an object.
    var isObject: Bool { self.words[(self.depth - 1) >> 6] & (1 << UInt64((self.depth - 1) & 63)) != 0 }
    /// What ends the innermost container.
    var closingBracket: UInt8 { self.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]") }

    mutating func push(_ bit: Bool) {
        let mask: UInt64 = 1 << UInt64(self.depth & 63)
        if bit {
            self.words[self.depth >> 6] |= mask
        } else {
            self.words[self.depth >> 6] &= ~mask
        }
        self.depth += 1
    }

    mutating func pop() {
        self.depth -= 1
    }
}

extension UInt8 {
    /// The value of a hexadecimal digit.
    var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
