public import NIOCore
public import ProtoMessages

extension RPCClient {
    /// Asks an engine, with a body and an answer of any size.
    ///
    /// - Parameters:
    ///   - head: what is asked of which model; its `contentBytes` are those of `body`.
    ///   - body: the request's JSON, in pieces of any size. It is read as the scheduler takes it.
    ///   - options: how it is called; the timeout is for the whole of it.
    ///   - consume: gets status and content type of the engine's answer, whatever the status, and the answer's body.
    ///     The engine is held back while it does not consume. Leaving it cancels the request unless it has ended.
    /// - Returns: what `consume` gives.
    /// - Throws: what `consume` throws; before the answer, NOT_FOUND when no engine serves the model, UNAVAILABLE when
    ///   the request did not run, what else `withStream` throws, and what reading `body` throws.
    public func withInference<Body: AsyncSequence & Sendable, Result>(
        _ head: InferHead,
        body: Body,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        _ consume: (InferAnswerHead, InferAnswerBody) async throws -> Result
    ) async throws -> Result where Body.Element == ByteBuffer {
        try await self.withStream(InferenceService.infer, options: options) { writer, messages in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let answer = InferAnswerBody()
                // Their failures are the consumer's, behind what came before.
                group.addTask { await answer.receive(messages) }
                group.addTask { await answer.transmit(head, writer) }
                group.addTask { await answer.feed(body, bytes: head.contentBytes) }
                defer { group.cancelAll() }
                return try await consume(try await answer.head(), answer)
            }
        }
    }

    /// The same with a body that is in memory; the head's `contentBytes` are set to its size.
    public func withInference<Result>(
        _ head: InferHead,
        body: ByteBuffer,
        options: CallOptions = CallOptions(),
        isolation: isolated (any Actor)? = #isolation,
        _ consume: (InferAnswerHead, InferAnswerBody) async throws -> Result
    ) async throws -> Result {
        var head = head
        head.contentBytes = UInt64(body.readableBytes)
        let whole = AsyncStream(ByteBuffer.self) { continuation in
            continuation.yield(body)
            continuation.finish()
        }
        return try await self.withInference(head, body: whole, options: options, consume)
    }
}

/// The body of an engine's answer, in pieces as they come: of a streamed answer, the events. For one task.
public struct InferAnswerBody: AsyncSequence, Sendable {
    /// Why the answer breaks off.
    public typealias Failure = RPCError
    /// A piece; never empty.
    public typealias Element = ByteBuffer

    private let exchange: ChunkExchange<InferResponse, InferRequest>
    private let arrived = Signal()
    private let room = Signal()

    init() {
        let (arrived, room) = (self.arrived, self.room)
        self.exchange = ChunkExchange(
            violationCode: .internal,
            onArrival: { arrived.tell() },
            onRoom: { room.tell() }
        )
    }

    /// Walks over the pieces.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let body: InferAnswerBody

        /// The next piece, or nil when the answer has come as a whole.
        /// - Throws: the status with which the call failed; CANCELLED when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws(RPCError)
            -> ByteBuffer?
        {
            try await self.body.next()
        }
    }

    /// Begins to walk; what was consumed before does not come again.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}

extension InferAnswerBody {
    /// What `arrival` finds.
    public enum Arrival: Sendable {
        /// The next piece.
        case piece(ByteBuffer)
        /// The answer has come as a whole.
        case end
        /// Nothing has come, and `wake` was called.
        case woken
    }

    /// The next piece, or nil when the answer has come as a whole.
    /// - Throws: the status with which the call failed; CANCELLED when the task is cancelled.
    public func next() async throws(RPCError) -> ByteBuffer? {
        while true {
            switch try await self.arrival() {
            case .piece(let piece): return piece
            case .end: return nil
            case .woken: continue
            }
        }
    }

    /// Waits for the next piece as `next` does, or until `wake` is called; for who has something else to do when nothing
    /// comes. It may say `woken` when nobody has called.
    /// - Throws: what `next` throws.
    public func arrival() async throws(RPCError) -> Arrival {
        if let bytes = try self.exchange.take(upTo: .max) { return bytes.readableBytes > 0 ? .piece(bytes) : .end }
        guard await self.arrived.wait() else { throw .consumerCancelled }
        guard let bytes = try self.exchange.take(upTo: .max) else { return .woken }
        return bytes.readableBytes > 0 ? .piece(bytes) : .end
    }

    /// Ends the wait of `arrival`, or the next one; from any thread.
    public func wake() {
        self.arrived.tell()
    }

    fileprivate func head() async throws(RPCError) -> InferAnswerHead {
        while true {
            if let head = try self.exchange.head() { return head }
            guard await self.arrived.wait() else { throw .consumerCancelled }
        }
    }

    fileprivate func receive(_ messages: RPCMessages<InferResponse>) async {
        do throws(RPCError) {
            try await self.exchange.receive(messages)
        } catch {
            self.exchange.fail(error)
        }
    }

    fileprivate func transmit(_ head: InferHead, _ writer: RPCRequestWriter<InferRequest>) async {
        self.exchange.offer(head: head)
        do throws(RPCError) {
            try await self.exchange.transmit { message throws(RPCError) in try await writer.send(message) }
        } catch  where error.code == .resourceExhausted {
            self.exchange.fail(error)
        } catch {
            // The stream has ended: why, comes behind what the server sent.
        }
    }

    /// Offers the body piece by piece. It is never finished: credits for the answer go the same way until the end.
    fileprivate func feed<Body: AsyncSequence>(_ body: Body, bytes: UInt64) async where Body.Element == ByteBuffer {
        var left = bytes
        do {
            for try await var piece in body {
                guard piece.readableBytes <= left else { throw RPCError.bodySize(bytes) }
                left -= UInt64(piece.readableBytes)
                while piece.readableBytes > 0 {
                    let count = Swift.min(piece.readableBytes, CreditWindow.maximumChunkBytes)
                    guard let slice = piece.readSlice(length: count) else { return }
                    while !self.exchange.offer(slice) {
                        guard await self.room.wait() else { return }
                    }
                }
            }
            if left > 0, !Task.isCancelled { throw RPCError.bodySize(bytes) }
        } catch {
            let unreadable = RPCError(code: .unknown, message: "the body cannot be read: \(error)")
            self.exchange.fail(error as? RPCError ?? unreadable)
        }
    }
}

extension RPCError {
    fileprivate static func bodySize(_ announced: UInt64) -> RPCError {
        RPCError(code: .invalidArgument, message: "the body has another size than the \(announced) bytes of its head")
    }
}
