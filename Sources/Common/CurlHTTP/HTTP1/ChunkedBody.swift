/// The framing of a body that comes in chunks (RFC 9112, 7.1), read as it comes. No I/O. Extensions and trailers are nobody's.
struct ChunkedBody {
    /// Most bytes of extensions of one chunk.
    private static let maximumExtensionBytes = 4 << 10
    private static let maximumTrailerBytes = HTTPResponseHeaders.maximumBytes
    /// Of a size, so that it fits an `Int`.
    private static let maximumDigits = 15

    private enum State {
        case size
        case sizeBlank
        case sizeExtension
        case sizeLineFeed
        case data
        case dataEnd
        case dataLineFeed
        case trailer
        case trailerLineFeed
        case end
    }

    private var state = State.size
    /// Of the chunk: as read so far, then bytes left.
    private var left = 0
    private var digits = 0
    /// Of extensions and blanks before them, or of trailers.
    private var passedOver = 0
    private var trailerLineBytes = 0

    /// Reads up to the next bytes of a chunk.
    /// - Returns: how many bytes were framing, and what comes behind them; nil: that was all.
    mutating func next(_ bytes: UnsafeRawBufferPointer) throws(MalformedResponse) -> ResponseParser.Step {
        var index = 0
        while true {
            if self.state == .end { return (index, .end) }
            guard index < bytes.count else { return (index, nil) }
            if self.state == .data { return (index, .body(min(self.left, bytes.count - index))) }
            try self.read(bytes[index])
            index += 1
        }
    }

    /// Bytes of the chunk were taken.
    mutating func took(_ count: Int) {
        self.left -= count
        if self.left == 0 { self.state = .dataEnd }
    }

    private mutating func read(_ byte: UInt8) throws(MalformedResponse) {
        switch self.state {
        case .size: try self.readSize(byte)
        case .sizeBlank: try self.readBehindSize(byte)
        case .sizeExtension: try self.readExtension(byte)
        case .sizeLineFeed:
            guard byte == 0x0A else { throw MalformedResponse("a chunk's size has no end") }
            self.endSize()
        case .dataEnd:
            // No line ends here: with a line feed alone a size that is one too large would go through.
            guard byte == 0x0D else { throw MalformedResponse("a chunk is longer than its size") }
            self.state = .dataLineFeed
        case .dataLineFeed:
            guard byte == 0x0A else { throw MalformedResponse("a chunk is longer than its size") }
            self.beginSize()
        case .trailer, .trailerLineFeed: try self.readTrailer(byte)
        case .data, .end: break
        }
    }

    private mutating func beginSize() {
        (self.state, self.left, self.digits, self.passedOver) = (.size, 0, 0, 0)
    }

    private mutating func readSize(_ byte: UInt8) throws(MalformedResponse) {
        if let digit = Self.hexDigit(byte) {
            self.left = self.left << 4 | digit
            self.digits += 1
            guard self.digits <= Self.maximumDigits else { throw MalformedResponse("a chunk's size is too large") }
            return
        }
        guard self.digits > 0 else { throw MalformedResponse("a chunk has no size") }
        try self.readBehindSize(byte)
    }

    private mutating func readBehindSize(_ byte: UInt8) throws(MalformedResponse) {
        switch byte {
        case 0x0A: self.endSize()
        case 0x0D: self.state = .sizeLineFeed
        case 0x20, 0x09:
            self.state = .sizeBlank
            try self.passOverExtension()
        case UInt8(ascii: ";"): self.state = .sizeExtension
        default: throw MalformedResponse("a chunk's size is no number")
        }
    }

    private mutating func readExtension(_ byte: UInt8) throws(MalformedResponse) {
        switch byte {
        case 0x0A: self.endSize()
        case 0x0D: self.state = .sizeLineFeed
        default: try self.passOverExtension()
        }
    }

    private mutating func passOverExtension() throws(MalformedResponse) {
        self.passedOver += 1
        guard self.passedOver <= Self.maximumExtensionBytes else {
            throw MalformedResponse("a chunk's extensions are longer than \(Self.maximumExtensionBytes) bytes")
        }
    }

    private mutating func endSize() {
        self.passedOver = 0
        self.state = self.left == 0 ? .trailer : .data
    }

    private mutating func readTrailer(_ byte: UInt8) throws(MalformedResponse) {
        self.passedOver += 1
        guard self.passedOver <= Self.maximumTrailerBytes else {
            throw MalformedResponse("the answer's trailers are larger than \(Self.maximumTrailerBytes) bytes")
        }
        guard byte == 0x0A || self.state == .trailer else {
            throw MalformedResponse("a line of the answer's trailers has no end")
        }
        switch byte {
        case 0x0A: self.endTrailerLine()
        case 0x0D: self.state = .trailerLineFeed
        default: self.trailerLineBytes += 1
        }
    }

    private mutating func endTrailerLine() {
        self.state = self.trailerLineBytes == 0 ? .end : .trailer
        self.trailerLineBytes = 0
    }

    private static func hexDigit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
