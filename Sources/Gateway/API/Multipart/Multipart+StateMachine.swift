#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif
public import NIOCore

/// Reads a `multipart/form-data` body as it comes: bytes in, events out.
///
/// Memory is bounded by the header limits; content is handed on as slices of what came in, without a copy.
public struct MultipartStateMachine {
    private enum State: Equatable {
        /// Before the first boundary.
        case preamble
        /// Right behind a boundary.
        case boundary
        case header
        case content
        case epilogue
        /// The input has ended.
        case ended
    }

    private let limits: MultipartLimits
    /// CR LF, two hyphens and the boundary.
    private let delimiter: [UInt8]
    private var state = State.preamble
    /// Bytes not used yet. They begin with a line end that was not sent, so that a form that begins with its first
    /// boundary needs no rule of its own.
    private var input = ByteBuffer(string: "\r\n")
    private var parts = 0
    private var outsideBytes = 0
    /// Bytes of an incomplete header that are searched already.
    private var searchedHeaderBytes = 0

    /// Begins a form.
    public init(boundary: MultipartBoundary, limits: MultipartLimits = MultipartLimits()) {
        self.limits = limits
        self.delimiter = Array("\r\n--".utf8) + boundary.bytes
    }

    /// Adds bytes of the body; then ask `next()` until it gives nil.
    public mutating func append(_ bytes: ByteBuffer) {
        guard self.input.readableBytes > 0 else {
            self.input = bytes
            return
        }
        // A new buffer, since appending to the old one would keep all that was read from it.
        var joined = ByteBuffer(ByteBufferView(self.input))
        joined.writeImmutableBuffer(bytes)
        self.input = joined
    }

    /// The next event; nil when more bytes are needed.
    ///
    /// - Throws: 400 when the form is malformed or crosses a limit; then the form is over.
    public mutating func next() throws(APIError) -> MultipartEvent? {
        while true {
            switch self.state {
            case .preamble: guard try self.skipPreamble() else { return nil }
            case .boundary:
                guard let isLast = try self.boundaryEnd() else { return nil }
                if isLast { return .end }
            case .header: return try self.header().map { .part($0) }
            case .content: return self.content()
            case .epilogue:
                try self.skipOutside(self.input.readableBytes)
                return nil
            case .ended: return nil
            }
        }
    }

    /// The body has ended.
    ///
    /// - Throws: 400 when the form is not complete.
    public mutating func finish() throws(APIError) {
        guard self.state == .epilogue else {
            throw .malformedForm("it ends before its last boundary")
        }
        self.state = .ended
    }

    /// Whether the first boundary was reached.
    private mutating func skipPreamble() throws(APIError) -> Bool {
        let (length, isDelimiter) = self.contentLength()
        try self.skipOutside(length)
        if isDelimiter { self.passDelimiter() }
        return isDelimiter
    }

    private mutating func skipOutside(_ length: Int) throws(APIError) {
        self.outsideBytes += length
        guard self.outsideBytes <= self.limits.maximumOutsideBytes else {
            throw .malformedForm("more than \(self.limits.maximumOutsideBytes) bytes stand outside its parts")
        }
        self.input.moveReaderIndex(forwardBy: length)
    }

    /// Whether the boundary is the last one; nil when its line is not complete.
    private mutating func boundaryEnd() throws(APIError) -> Bool? {
        let bytes = self.input.readableBytesView
        if bytes.starts(with: "--".utf8) {
            self.input.moveReaderIndex(forwardBy: 2)
            self.state = .epilogue
            return true
        }
        let padding = bytes.prefix(self.limits.maximumPaddingBytes + 1)
            .prefix { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.count
        let end = bytes.dropFirst(padding).prefix(2)
        let isHyphen = padding == 0 && end.elementsEqual("-".utf8)
        guard padding <= self.limits.maximumPaddingBytes, isHyphen || "\r\n".utf8.starts(with: end) else {
            throw .malformedForm("a boundary is followed by other text")
        }
        guard end.count == 2 else { return nil }
        self.input.moveReaderIndex(forwardBy: padding + 2)
        try self.beginPart()
        return false
    }

    private mutating func beginPart() throws(APIError) {
        self.parts += 1
        guard self.parts <= self.limits.maximumParts else {
            throw .malformedForm("it has more than \(self.limits.maximumParts) parts")
        }
        self.searchedHeaderBytes = 0
        self.state = .header
    }

    /// The part's head; nil when it is not complete.
    private mutating func header() throws(APIError) -> MultipartPartHead? {
        let bytes = self.input.readableBytesView
        if bytes.starts(with: "\r\n".utf8) {
            throw .malformedForm("a part has no name")
        }
        let limit = self.limits.maximumHeaderBytes
        guard let length = self.headerLength(bytes.prefix(limit + 4)) else {
            guard bytes.count < limit + 4 else {
                throw .malformedForm("a part has a header of more than \(limit) bytes")
            }
            self.searchedHeaderBytes = max(0, bytes.count - 3)
            return nil
        }
        let head = try MultipartPartHead(
            fields: bytes.prefix(length),
            maximumFieldBytes: self.limits.maximumHeaderFieldBytes
        )
        self.input.moveReaderIndex(forwardBy: length + 4)
        self.state = .content
        return head
    }

    private func headerLength(_ bytes: ByteBufferView) -> Int? {
        var index = bytes.startIndex + self.searchedHeaderBytes
        while let found = bytes[index...].firstIndex(of: UInt8(ascii: "\r")) {
            if bytes[found...].starts(with: "\r\n\r\n".utf8) { return found - bytes.startIndex }
            index = found + 1
        }
        return nil
    }

    /// Content up to the next delimiter, or the end of the part.
    private mutating func content() -> MultipartEvent? {
        let (length, isDelimiter) = self.contentLength()
        if length > 0, let slice = self.input.readSlice(length: length) {
            return .content(slice)
        }
        guard isDelimiter else { return nil }
        self.passDelimiter()
        return .partEnd
    }

    private mutating func passDelimiter() {
        self.input.moveReaderIndex(forwardBy: self.delimiter.count)
        self.state = .boundary
    }

    /// How many bytes are certainly content, and whether a whole delimiter follows them.
    ///
    /// The search is linear for every input: only the first byte of a delimiter is a carriage return.
    private func contentLength() -> (length: Int, isDelimiter: Bool) {
        self.input.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress else { return (0, false) }
            var start = 0
            while start < bytes.count, let found = memchr(base + start, 0x0D, bytes.count - start) {
                let index = base.distance(to: UnsafeRawPointer(found))
                let candidate = UnsafeRawBufferPointer(rebasing: bytes[index...].prefix(self.delimiter.count))
                if self.delimiter.starts(with: candidate) {
                    return (index, candidate.count == self.delimiter.count)
                }
                start = index + 1
            }
            return (bytes.count, false)
        }
    }
}
