/// Reads one answer of HTTP/1.x from the bytes of a connection, in whatever pieces they come (RFC 9112, 6.3). No I/O.
struct ResponseParser {
    /// What comes next in the bytes.
    enum Event: Equatable {
        /// Status and fields of the final answer are in `head`.
        case head
        /// This many bytes of the body. They stay where they are until `took` is told.
        case body(Int)
        /// The answer is complete.
        case end
    }

    /// Bytes that were read, and what comes behind them; nil: more bytes are needed, and all were read.
    typealias Step = (consumed: Int, event: Event?)

    private enum Body {
        case length(left: Int)
        case chunked(ChunkedBody)
        /// It ends with the connection.
        case untilEnd
    }

    /// Status and fields; complete once told.
    private(set) var head = ResponseHead()
    private let hasNoBody: Bool
    /// nil before the head is complete.
    private var body: Body?

    /// Reads an answer; one to a HEAD has no body, whatever its fields say.
    init(toHead: Bool = false) {
        self.hasNoBody = toHead
    }

    /// Bytes of the body that are still to come, when the head announces them.
    var announcedBytes: Int? {
        if case .length(let left) = self.body { left } else { nil }
    }

    /// Reads on.
    mutating func next(_ bytes: UnsafeRawBufferPointer) throws(MalformedResponse) -> Step {
        switch self.body {
        case nil:
            let (consumed, isComplete) = try self.head.take(bytes)
            guard isComplete else { return (consumed, nil) }
            self.body = self.framing
            return (consumed, .head)
        case .length(let left):
            if left == 0 { return (0, .end) }
            return (0, bytes.isEmpty ? nil : .body(min(left, bytes.count)))
        case .chunked(var chunks):
            defer { self.body = .chunked(chunks) }
            return try chunks.next(bytes)
        case .untilEnd:
            return (0, bytes.isEmpty ? nil : .body(bytes.count))
        }
    }

    /// Bytes of the body were taken, at most as many as were told.
    mutating func took(_ count: Int) {
        switch self.body {
        case .length(let left): self.body = .length(left: left - count)
        case .chunked(var chunks):
            chunks.took(count)
            self.body = .chunked(chunks)
        case .untilEnd, nil: break
        }
    }

    /// Whether an answer that was not complete is so by the connection's end.
    var endsWithConnection: Bool {
        if case .untilEnd = self.body { true } else { false }
    }

    private var framing: Body {
        if self.hasNoBody || self.head.status == 204 || self.head.status == 304 { return .length(left: 0) }
        if self.head.isChunked { return .chunked(ChunkedBody()) }
        return self.head.contentLength.map { .length(left: $0) } ?? .untilEnd
    }
}
