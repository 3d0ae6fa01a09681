import Testing

@testable import CurlHTTP

/// What a parser makes of bytes, given to it in pieces.
struct ReadAnswer: Equatable {
    /// How the reading ended.
    enum End: Equatable {
        /// The answer is complete.
        case complete
        /// More bytes are needed.
        case open
        /// It is complete once the connection ends.
        case untilConnectionEnds
        /// It was refused, with this message.
        case refused(String)
    }

    /// nil: the head did not become complete.
    private(set) var head: ResponseHead?
    private(set) var body: [UInt8] = []
    private(set) var end = End.open
    /// Bytes behind the end.
    private(set) var unread = 0

    /// HTTP status; nil: the head did not become complete.
    var status: Int? { self.head?.status }
    /// The body as a text.
    var text: String { String(decoding: self.body, as: UTF8.self) }
    /// Why it was refused.
    var refusal: String? {
        if case .refused(let message) = self.end { message } else { nil }
    }

    /// Gives the pieces to a parser, as a connection does.
    init(_ pieces: [Slice<UnsafeRawBufferPointer>], toHead: Bool) {
        var parser = ResponseParser(toHead: toHead)
        for piece in pieces {
            var rest = UnsafeRawBufferPointer(rebasing: piece)
            do throws(MalformedResponse) {
                while try self.read(&rest, &parser) {}
            } catch {
                self.end = .refused(error.message)
                return
            }
            self.unread += rest.count
        }
        if self.end == .open, parser.endsWithConnection { self.end = .untilConnectionEnds }
    }

    /// Reads on; whether something came of it.
    private mutating func read(
        _ rest: inout UnsafeRawBufferPointer,
        _ parser: inout ResponseParser
    ) throws(MalformedResponse) -> Bool {
        guard self.end == .open else { return false }
        let step = try parser.next(rest)
        self.must((0...rest.count).contains(step.consumed), "more bytes were read than given")
        rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
        switch step.event {
        case nil:
            self.must(rest.isEmpty, "what does not end is read to its end")
            return false
        case .head:
            self.must(self.head == nil, "an answer has one head")
            self.head = parser.head
        case .body(let count):
            self.must(count > 0 && count <= rest.count, "a body of bytes that were not given")
            self.body += rest[..<count]
            parser.took(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        case .end: self.end = .complete
        }
        return true
    }

    /// An expectation costs more than the reading; this one only when it is not met.
    private func must(_ holds: Bool, _ comment: Comment) {
        if !holds { Issue.record(comment) }
    }

    static func == (one: ReadAnswer, other: ReadAnswer) -> Bool {
        one.head?.isSame(as: other.head) ?? (other.head == nil) && one.body == other.body && one.end == other.end
            && one.unread == other.unread
    }
}

extension ResponseHead {
    fileprivate func isSame(as other: ResponseHead?) -> Bool {
        guard let other else { return false }
        return self.status == other.status && self.fields.raw == other.fields.raw && self.isChunked == other.isChunked
            && self.contentLength == other.contentLength && self.isPersistent == other.isPersistent
    }
}

/// An answer that is read whole, byte by byte, and cut in two at every position, with the same outcome.
func read(
    _ bytes: [UInt8],
    toHead: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation
) -> ReadAnswer {
    bytes.withUnsafeBytes { bytes in
        let whole = ReadAnswer([bytes[...]], toHead: toHead)
        let positions = cuts(bytes.count)
        let single = ReadAnswer(zip(positions, positions.dropFirst()).map { bytes[$0..<$1] }, toHead: toHead)
        if single != whole { Issue.record("byte by byte: \(single)", sourceLocation: sourceLocation) }
        for position in positions {
            let halves = ReadAnswer([bytes[..<position], bytes[position...]], toHead: toHead)
            if halves != whole { Issue.record("cut at \(position): \(halves)", sourceLocation: sourceLocation) }
        }
        return whole
    }
}

/// As for bytes.
func read(
    _ text: String,
    toHead: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation
) -> ReadAnswer {
    read(Array(text.utf8), toHead: toHead, sourceLocation: sourceLocation)
}

/// Where bytes are cut: everywhere, but of many only near both ends, where something happens.
private func cuts(_ count: Int) -> [Int] {
    guard count > 1_000 else { return Array(0...count) }
    return Array(0...16) + Array((count - 16)...count)
}
