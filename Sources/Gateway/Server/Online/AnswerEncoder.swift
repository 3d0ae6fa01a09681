import GatewayAPI
import NIOCore
import NIOHTTP1

/// The head of an answer that is written on the event loop.
struct AnswerHead {
    var status: Int
    /// Empty: the answer does not tell.
    var contentType: String
    /// In bytes; nil: not known when the head is written.
    var contentLength: Int?
    /// As what the request was treated; nil: it did not come so far.
    var tier: ServiceTier?
    /// Whether the body is a stream of events, which nothing on the way may hold up.
    var isEvents = false
    var requestID: String
    /// Time until the answer began.
    var milliseconds: Int64
    /// As `DateHeader` has it.
    var date: String
    /// Fields besides those.
    var others: [(name: String, value: String)] = []
}

/// Writes answers as HTTP/1 has them (RFC 9112): what goes out together as one buffer, most often a whole answer.
///
/// NIO's encoder takes an answer apart into head, pieces and end, each of which goes through the pipeline by itself: half
/// of what answering a small request took. No I/O: parts of an answer in, bytes out.
struct AnswerEncoder {
    /// How the end of a body is told.
    private enum Framing {
        case length
        case chunks
        case connectionEnd
        /// There is none.
        case noBody
    }

    /// Bytes to be written one behind the other.
    struct Output: Equatable {
        /// Empty if there is nothing but a large piece.
        var bytes = ByteBuffer()
        /// A piece that is too large to be copied, and what follows it.
        var large: ByteBuffer?
        var behind: ByteBuffer?
    }

    /// Pieces up to this size are copied behind what stands before them, in bytes: one write costs more.
    static let maximumCopiedBytes = 16 << 10
    /// Most bytes of a head without its texts of any length: names of fields, numbers, the status line.
    private static let headBytes = 512

    private var framing = Framing.length

    /// Whether the body ends with the connection.
    var endsWithConnection: Bool { if case .connectionEnd = self.framing { true } else { false } }

    /// An answer begins, and may go on or end at once.
    mutating func begin(
        _ head: AnswerHead,
        _ manner: HTTPConnectionStateMachine.AnswerManner,
        _ piece: ByteBuffer,
        isEnd: Bool
    ) -> Output {
        self.framing =
            if head.status == 204 {
                .noBody
            } else if head.contentLength != nil {
                .length
            } else {
                manner.isHTTP10 ? .connectionEnd : .chunks
            }
        var output = Output()
        let copied = piece.readableBytes <= Self.maximumCopiedBytes ? piece.readableBytes : 0
        output.bytes.reserveCapacity(2 * Self.headBytes + copied)
        self.write(head, manner, into: &output.bytes)
        self.write(piece, isEnd: isEnd, into: &output)
        return output
    }

    /// It goes on, or ends.
    mutating func goOn(_ piece: ByteBuffer, isEnd: Bool) -> Output {
        var output = Output()
        self.write(piece, isEnd: isEnd, into: &output)
        return output
    }

    // MARK: Body

    private func write(_ piece: ByteBuffer, isEnd: Bool, into output: inout Output) {
        if case .noBody = self.framing { return }
        let isChunked = if case .chunks = self.framing { true } else { false }
        if piece.readableBytes > 0 {
            if isChunked {
                output.bytes.writeString(String(piece.readableBytes, radix: 16))
                output.bytes.writeStaticString("\r\n")
            }
            if piece.readableBytes <= Self.maximumCopiedBytes {
                output.bytes.writeImmutableBuffer(piece)
                if isChunked { output.bytes.writeStaticString("\r\n") }
            } else {
                output.large = piece
                if isChunked { output.behind = ByteBuffer(staticString: isEnd ? "\r\n0\r\n\r\n" : "\r\n") }
                return
            }
        }
        if isChunked, isEnd { output.bytes.writeStaticString("0\r\n\r\n") }
    }

    // MARK: Head

    private func write(
        _ head: AnswerHead,
        _ manner: HTTPConnectionStateMachine.AnswerManner,
        into buffer: inout ByteBuffer
    ) {
        let others = head.others.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        let texts = head.contentType.utf8.count + head.requestID.utf8.count + head.date.utf8.count
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.headBytes + texts + others) { bytes in
            var text = TextWriter(bytes)
            Self.writeStatusLine(head.status, manner, into: &text)
            self.writeFields(of: head, into: &text)
            if manner.closes { text.write("connection: close\r\n") }
            text.write("\r\n")
            return text.count
        }
    }

    private func writeFields(of head: AnswerHead, into text: inout TextWriter) {
        // A value from elsewhere cannot end its line.
        if !head.contentType.isEmpty, head.contentType.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) {
            text.write("content-type: ")
            text.write(head.contentType)
            text.write("\r\n")
        }
        // The second one is for an nginx in between.
        if head.isEvents { text.write("cache-control: no-cache\r\nx-accel-buffering: no\r\n") }
        switch head.tier {
        case .default: text.write("x-backfill-service-tier: default\r\n")
        case .flex: text.write("x-backfill-service-tier: flex\r\n")
        case nil: break
        }
        for (name, value) in head.others {
            text.write(name)
            text.write(": ")
            text.write(value)
            text.write("\r\n")
        }
        switch self.framing {
        case .length:
            text.write("content-length: ")
            text.write(String(head.contentLength ?? 0))
            text.write("\r\n")
        case .chunks: text.write("transfer-encoding: chunked\r\n")
        case .connectionEnd, .noBody: break
        }
        text.write("x-request-id: ")
        text.write(head.requestID)
        text.write("\r\nopenai-processing-ms: ")
        text.write(String(head.milliseconds))
        text.write("\r\ndate: ")
        text.write(head.date)
        text.write("\r\n")
    }

    private static func writeStatusLine(
        _ status: Int,
        _ manner: HTTPConnectionStateMachine.AnswerManner,
        into text: inout TextWriter
    ) {
        if status == 200, !manner.isHTTP10 {
            text.write("HTTP/1.1 200 OK\r\n")
        } else {
            let version = manner.isHTTP10 ? "HTTP/1.0" : "HTTP/1.1"
            let reason = HTTPResponseStatus(statusCode: status).reasonPhrase
            text.write("\(version) \(status) \(reason)\r\n")
        }
    }
}

/// Writes texts one behind the other into room that was made for all of them: a head has thirty, and `ByteBuffer` asks for
/// room for each.
private struct TextWriter {
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func write(_ text: StaticString) {
        text.withUTF8Buffer { self.write(UnsafeRawBufferPointer($0)) }
    }

    mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { self.write(UnsafeRawBufferPointer($0)) }
    }

    private mutating func write(_ text: UnsafeRawBufferPointer) {
        // Only debug builds check what follows.
        precondition(text.count <= self.bytes.count - self.count, "a head is longer than the room made for it")
        UnsafeMutableRawBufferPointer(rebasing: self.bytes[self.count...]).copyMemory(from: text)
        self.count += text.count
    }
}
