public import NIOCore

/// Follows a stream of server-sent events while it is passed on as it comes: whether something may be put between two
/// events, and what has to be written before it. No I/O.
///
/// Lines end with LF, CR or both, and a piece may end anywhere, also between the two (A10-09).
public struct EventStreamStateMachine: Sendable {
    private enum Position {
        /// Behind an empty line, or at the beginning.
        case betweenEvents
        /// Lines of an event have come, and the last one has ended.
        case betweenLines
        /// A line has begun.
        case insideLine
    }

    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")
    /// Passed over by all readers.
    private static let comment = ": keep-alive\n\n"

    private let keepAlive: TimeAmount
    private var position = Position.betweenEvents
    /// An LF would belong to the line end that was seen.
    private var endsWithCarriageReturn = false
    private var lastPiece: NIODeadline

    /// - Parameter keepAlive: silence after which a comment tells the client, and what is between, that the stream lives.
    public init(keepAlive: TimeAmount, now: NIODeadline) {
        self.keepAlive = keepAlive
        self.lastPiece = now
    }

    /// A piece of the stream is passed on.
    public mutating func passed(_ piece: ByteBuffer, now: NIODeadline) {
        self.lastPiece = now
        piece.withUnsafeReadableBytes { self.follow($0) }
    }

    /// Looks whether the stream is silent. Gives the comment that is to be written now, if any.
    public mutating func tick(now: NIODeadline) -> ByteBuffer? {
        guard self.position == .betweenEvents, now - self.lastPiece >= self.keepAlive else { return nil }
        self.lastPiece = now
        self.endsWithCarriageReturn = false
        return ByteBuffer(string: Self.comment)
    }

    /// The stream breaks off: what is to be written last, an event with the error on lines of its own. Nothing says that
    /// the answer is whole (A10-04).
    public func end(_ error: APIError) -> ByteBuffer {
        var end = ByteBuffer()
        switch self.position {
        case .betweenEvents: break
        case .betweenLines where !self.endsWithCarriageReturn: end.writeStaticString("\n")
        case .betweenLines, .insideLine: end.writeStaticString("\n\n")
        }
        end.writeStaticString("data: ")
        end.writeImmutableBuffer(error.json.encoded())
        end.writeStaticString("\n\n")
        return end
    }

    private mutating func follow(_ bytes: UnsafeRawBufferPointer) {
        var lineEnds = bytes[...]
        // Only what stands behind the last character of a line tells where the piece ends.
        if let last = bytes.lastIndex(where: { $0 != Self.lineFeed && $0 != Self.carriageReturn }) {
            self.position = .insideLine
            self.endsWithCarriageReturn = false
            lineEnds = bytes[(last + 1)...]
        }
        for byte in lineEnds {
            let isSecondHalf = byte == Self.lineFeed && self.endsWithCarriageReturn
            self.endsWithCarriageReturn = byte == Self.carriageReturn
            if !isSecondHalf { self.position = self.position == .insideLine ? .betweenLines : .betweenEvents }
        }
    }
}
