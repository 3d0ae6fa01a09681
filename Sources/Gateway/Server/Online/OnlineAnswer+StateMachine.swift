import GatewayAPI
import NIOCore
import ProtoMessages
import ProtoRPC

/// Turns what comes of an engine's answer into what the client gets. No I/O: arrivals in, writes out.
///
/// An answer whose size is known and small is written at once, and so is an error, so that what fails before its end is an
/// error object and not a cut connection (A10-04). Others pass piece by piece.
struct OnlineAnswerStateMachine {
    /// Status and header fields of the answer, as far as the engine has a say.
    struct Head: Equatable {
        var status: Int
        var contentType: String
        /// nil: chunked.
        var contentLength: Int?
        var retryAfterSeconds: Int?
        var isEvents = false
    }

    /// What to do. After `isEnd`, `refuse` and `cut` the answer is over and the call can be left.
    enum Action: Equatable {
        /// Wait for more.
        case none
        /// Write what there is, in one go.
        case write(head: Head?, bytes: ByteBuffer, isEnd: Bool)
        /// Nothing was written: answer with an error.
        case refuse(APIError)
        /// End the connection, so that the client notices that the answer is not whole.
        case cut
    }

    private enum Mode {
        case awaitingHead
        /// All of it is gathered before anything is written.
        case whole(InferAnswerHead, ByteBuffer)
        /// The same with an error, which has to be JSON.
        case error(InferAnswerHead, ByteBuffer)
        /// The body may have so many bytes more; nil: any.
        case streamed(unwritten: Head?, left: Int?)
        case events(unwritten: Head?, EventStreamStateMachine)
        case over
    }

    /// Size up to which an answer is written at once, in bytes.
    static let maximumWholeBytes: UInt64 = 64 << 10

    private let keepAlive: TimeAmount
    private var mode = Mode.awaitingHead

    /// - Parameter keepAlive: silence of a stream of events after which a comment is written.
    init(keepAlive: TimeAmount) {
        self.keepAlive = keepAlive
    }

    /// Whether `tick` has to be called at intervals of the keep-alive time.
    var isEventStream: Bool {
        if case .events = self.mode { true } else { false }
    }

    /// Something has come.
    mutating func received(_ arrival: InferenceArrival, now: NIODeadline) -> Action {
        switch arrival {
        case .head(let head): self.began(head, now: now)
        case .piece(let piece): self.received(piece, now: now)
        case .end: self.ended()
        case .failed(let error): self.failed(APIError(inference: error))
        }
    }

    /// Time has passed.
    mutating func tick(now: NIODeadline) -> Action {
        guard case .events(let head, var stream) = self.mode, let comment = stream.tick(now: now) else { return .none }
        self.mode = .events(unwritten: nil, stream)
        return .write(head: head, bytes: comment, isEnd: false)
    }

    private mutating func began(_ head: InferAnswerHead, now: NIODeadline) -> Action {
        guard EngineError.isAnswer(Int(head.status)) else { return self.replace(head) }
        if EngineError.saysEvents(head.contentType) {
            var answer = Head(head)
            answer.contentLength = nil
            answer.isEvents = true
            self.mode = .events(unwritten: answer, EventStreamStateMachine(keepAlive: self.keepAlive, now: now))
        } else if head.status >= 400 {
            self.mode = .error(head, ByteBuffer())
        } else if let bytes = head.contentBytes, bytes <= Self.maximumWholeBytes {
            self.mode = .whole(head, ByteBuffer())
        } else {
            let answer = Head(head)
            self.mode = .streamed(unwritten: answer, left: answer.contentLength)
        }
        return .none
    }

    private mutating func received(_ piece: ByteBuffer, now: NIODeadline) -> Action {
        switch self.mode {
        case .whole(let head, var bytes):
            Self.append(piece, to: &bytes)
            // More than was announced.
            guard bytes.readableBytes <= Self.maximumWholeBytes else { return self.failed(.internalError) }
            self.mode = .whole(head, bytes)
            return .none
        case .error(let head, var bytes):
            Self.append(piece, to: &bytes)
            guard bytes.readableBytes > EngineError.maximumBytes else {
                self.mode = .error(head, bytes)
                return .none
            }
            guard EngineError.saysJSON(head.contentType) else { return self.replace(head) }
            let answer = Head(head)
            self.mode = .streamed(unwritten: answer, left: answer.contentLength)
            return self.received(bytes, now: now)
        case .streamed(let head, let left):
            // The client would take what is too much for another answer.
            guard piece.readableBytes <= left ?? .max else { return self.failed(.internalError) }
            self.mode = .streamed(unwritten: nil, left: left.map { $0 - piece.readableBytes })
            return .write(head: head, bytes: piece, isEnd: false)
        case .events(let head, var stream):
            stream.passed(piece, now: now)
            self.mode = .events(unwritten: nil, stream)
            return .write(head: head, bytes: piece, isEnd: false)
        case .awaitingHead, .over: return .none
        }
    }

    private mutating func ended() -> Action {
        defer { self.mode = .over }
        switch self.mode {
        case .whole(let head, let bytes): return .write(head: Head(head, of: bytes), bytes: bytes, isEnd: true)
        case .error(let head, let bytes):
            guard EngineError.isReadable(bytes) else { return self.replace(head) }
            return .write(head: Head(head, of: bytes), bytes: bytes, isEnd: true)
        case .streamed(let head, let left):
            guard left ?? 0 == 0 else { return self.failed(.internalError) }
            return .write(head: head, bytes: ByteBuffer(), isEnd: true)
        case .events(let head, _): return .write(head: head, bytes: ByteBuffer(), isEnd: true)
        case .awaitingHead, .over: return .none
        }
    }

    private mutating func failed(_ error: APIError) -> Action {
        defer { self.mode = .over }
        switch self.mode {
        case .streamed(unwritten: nil, _): return .cut
        case .events(unwritten: nil, let stream):
            return .write(head: nil, bytes: stream.end(error), isEnd: true)
        case .over: return .none
        case .awaitingHead, .whole, .error, .streamed, .events: return .refuse(error)
        }
    }

    /// The error object in the place of an answer that no client could read.
    private mutating func replace(_ head: InferAnswerHead) -> Action {
        self.mode = .over
        var error = EngineError.unreadable(status: Int(head.status))
        error.retryAfterSeconds = Head(head).retryAfterSeconds
        return .refuse(error)
    }

    private static func append(_ piece: ByteBuffer, to bytes: inout ByteBuffer) {
        // Most small answers come in one piece.
        if bytes.readableBytes == 0 { bytes = piece } else { bytes.writeImmutableBuffer(piece) }
    }
}

extension OnlineAnswerStateMachine.Head {
    fileprivate init(_ head: InferAnswerHead) {
        self.init(
            status: Int(head.status),
            contentType: head.contentType,
            contentLength: head.contentBytes.map { Int(clamping: $0) },
            retryAfterSeconds: Self.retryAfterSeconds(head)
        )
    }

    /// The head of an answer that is written as a whole.
    fileprivate init(_ head: InferAnswerHead, of bytes: ByteBuffer) {
        self.init(head)
        self.contentLength = bytes.readableBytes
    }

    /// In whole seconds; 429 and 503 always say it (A9-05).
    private static func retryAfterSeconds(_ head: InferAnswerHead) -> Int? {
        if let milliseconds = head.retryAfterMilliseconds { return (Int(milliseconds) + 999) / 1_000 }
        return [429, 503].contains(head.status) ? 1 : nil
    }
}
