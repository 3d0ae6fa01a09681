import GatewayAPI
import HTTPTypes
import Hummingbird
import NIOCore
import ProtoMessages
import ProtoRPC

/// An engine's answer on its way to the client.
struct EngineAnswer: Sendable {
    /// An answer whose size is known and at most this is written at once: what fails before its end is an error and not a
    /// cut connection.
    private static let maximumWholeBytes: UInt64 = 64 << 10

    let answer: OpenCall.Answer
    let call: OpenCall
    let keepAlive: Duration

    private var head: InferAnswerHead { self.answer.head }

    /// The answer as the client gets it.
    /// - Throws: why it broke off before anything of it was written.
    func response() async throws -> Response {
        let status = Int(self.head.status)
        guard EngineError.isAnswer(status) else { return self.replaced() }
        if EngineError.saysEvents(self.head.contentType) { return try await self.events() }
        if status >= 400 { return try await self.errorResponse() }
        if let bytes = self.head.contentBytes, bytes <= Self.maximumWholeBytes { return try await self.whole() }
        // What fails before the first byte is an error (A10-04).
        return self.streamed(try await self.gather(upTo: 0).pieces)
    }

    // MARK: Errors of the engine

    private func errorResponse() async throws -> Response {
        let (pieces, isWhole) = try await self.gather(upTo: EngineError.maximumBytes)
        guard isWhole else {
            return EngineError.saysJSON(self.head.contentType) ? self.streamed(pieces) : self.replaced()
        }
        let body = Self.joined(pieces)
        guard EngineError.isReadable(body) else { return self.replaced() }
        self.call.finish()
        return self.response(ResponseBody(byteBuffer: body))
    }

    /// The error object in the place of an answer that no client could read.
    private func replaced() -> Response {
        self.call.finish()
        var error = EngineError.unreadable(status: Int(self.head.status))
        error.retryAfterSeconds = self.retryAfterSeconds
        return Response(error: error)
    }

    /// In whole seconds; 429 and 503 always say it (A9-05).
    private var retryAfterSeconds: Int? {
        if let milliseconds = self.head.retryAfterMilliseconds { return (Int(milliseconds) + 999) / 1_000 }
        return [429, 503].contains(self.head.status) ? 1 : nil
    }

    // MARK: Bodies

    private func whole() async throws -> Response {
        let (pieces, _) = try await self.gather(upTo: .max)
        self.call.finish()
        return self.response(ResponseBody(byteBuffer: Self.joined(pieces)))
    }

    /// Pieces up to some size, and whether nothing follows them.
    private func gather(upTo limit: Int) async throws -> (pieces: [ByteBuffer], isWhole: Bool) {
        var pieces: [ByteBuffer] = []
        var bytes = 0
        while bytes <= limit {
            guard let piece = try await self.answer.body.next() else { return (pieces, true) }
            bytes += piece.readableBytes
            pieces.append(piece)
        }
        return (pieces, false)
    }

    private static func joined(_ pieces: [ByteBuffer]) -> ByteBuffer {
        guard var joined = pieces.first else { return ByteBuffer() }
        for piece in pieces.dropFirst() { joined.writeImmutableBuffer(piece) }
        return joined
    }

    /// Piece by piece. An answer that breaks off ends the connection, so that the client notices.
    private func streamed(_ first: [ByteBuffer]) -> Response {
        let length = self.head.contentBytes.map { Int(clamping: $0) }
        let (answer, call) = (self.answer, self.call)
        return self.response(
            ResponseBody(contentLength: length) { writer in
                defer { call.finish() }
                var left = length ?? .max
                for piece in first { try await Self.write(piece, &left, to: &writer) }
                while let piece = try await answer.body.next() { try await Self.write(piece, &left, to: &writer) }
                guard length == nil || left == 0 else { throw APIError.internalError }
                try await writer.finish(nil)
            }
        )
    }

    /// Writes a piece, unless more would come than was announced: the client would take the rest for another answer.
    private static func write(_ piece: ByteBuffer, _ left: inout Int, to writer: inout any ResponseBodyWriter)
        async throws
    {
        guard piece.readableBytes <= left else { throw APIError.internalError }
        left -= piece.readableBytes
        try await writer.write(piece)
    }

    private func response(_ body: ResponseBody) -> Response {
        var headers = HTTPFields()
        if !self.head.contentType.isEmpty { headers[.contentType] = self.head.contentType }
        if let seconds = self.retryAfterSeconds { headers[.retryAfter] = String(seconds) }
        if let length = body.contentLength { headers[.contentLength] = String(length) }
        return Response(status: HTTPResponse.Status(code: Int(self.head.status)), headers: headers, body: body)
    }
}

// MARK: - Streams of events

extension EngineAnswer {
    /// Event by event. The head is written with the first of them, or when they do not come for a while, so that what
    /// fails before is an error (A10-04) and a client that waits for long hears comments.
    private func events() async throws -> Response {
        let (answer, call, keepAlive) = (self.answer, self.call, self.keepAlive)
        let first = try await Self.firstEvent(answer.body, within: keepAlive)
        var response = self.response(
            ResponseBody { writer in
                defer { call.finish() }
                var stream = EventStreamStateMachine(keepAlive: TimeAmount(keepAlive), now: .now())
                do {
                    try await Self.pass(first, &stream, to: &writer)
                    try await Self.waking(answer.body, each: keepAlive) {
                        try await Self.pass(answer.body, &stream, to: &writer)
                    }
                } catch let error as RPCError {
                    try await writer.write(stream.end(APIError(inference: error)))
                }
                try await writer.finish(nil)
            }
        )
        response.headers[.cacheControl] = "no-cache"
        // For an nginx in between.
        response.headers[.accelBuffering] = "no"
        return response
    }

    /// What comes first; `woken`: nothing has come for that long.
    private static func firstEvent(_ body: InferAnswerBody, within patience: Duration) async throws
        -> InferAnswerBody.Arrival
    {
        let end = ContinuousClock.now + patience
        return try await self.waking(body, each: patience) {
            while true {
                let arrival = try await body.arrival()
                guard case .woken = arrival, ContinuousClock.now < end else { return arrival }
            }
        }
    }

    /// Wakes who waits for a body at intervals, while `work` runs.
    private static func waking<Result>(
        _ body: InferAnswerBody,
        each interval: Duration,
        _ work: () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    try await Task.sleep(for: interval)
                    body.wake()
                }
            }
            defer { group.cancelAll() }
            return try await work()
        }
    }

    private static func pass(
        _ body: InferAnswerBody,
        _ stream: inout EventStreamStateMachine,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        while true {
            let arrival = try await body.arrival()
            if case .end = arrival { return }
            try await self.pass(arrival, &stream, to: &writer)
        }
    }

    private static func pass(
        _ arrival: InferAnswerBody.Arrival,
        _ stream: inout EventStreamStateMachine,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        switch arrival {
        case .piece(let piece):
            stream.passed(piece, now: .now())
            try await writer.write(piece)
        case .woken:
            if let comment = stream.tick(now: .now()) { try await writer.write(comment) }
        case .end: break
        }
    }
}
