import NIOCore
public import ProtoMessages

/// What gives the messages of a stream.
protocol MessageSource: Sendable {
    /// The next message, if it is there: most often it is, and then its consumer need not be suspended.
    func poll() throws(RPCError) -> MessagePoll
    /// Waits until `poll` may give something else than `wait`.
    func wait() async
}

/// What a stream has for its consumer now.
enum MessagePoll {
    case message(ByteBuffer)
    /// Nothing yet.
    case wait
    case end
}

extension MessageSource {
    /// The next message, or nil at the stream's end.
    func next() async throws(RPCError) -> ByteBuffer? {
        while true {
            switch try self.poll() {
            case .message(let message): return message
            case .end: return nil
            case .wait: await self.wait()
            }
        }
    }
}

/// What takes the messages of a stream.
protocol MessageSink: Sendable {
    /// Most bytes of a message.
    var maximumDataBytes: Int { get }
    /// Sends a message if there is room for it: most often there is, and then its sender need not be suspended.
    func sendNow(_ message: some ProtoMessage) throws(RPCError) -> Bool
    /// Sends a message, waiting for room.
    func send(_ message: ByteBuffer) async throws(RPCError)
}

/// Messages that the other side of a stream sends, in their order. For one task.
///
/// At most 64 messages, or 1 MiB of them, wait behind those that were taken up, which are as many at most. A peer that
/// sends more finds the connection not read for a while, and then its stream failed with RESOURCE_EXHAUSTED (G5-05):
/// consume steadily, and let peers of your own send no more than what was asked for.
public struct RPCMessages<Message: ProtoMessage>: AsyncSequence, Sendable {
    /// Why a stream fails.
    public typealias Failure = RPCError
    /// The messages.
    public typealias Element = Message

    let source: any MessageSource

    /// Walks over the messages.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let source: any MessageSource

        /// The next message, or nil when the other side has ended the stream.
        ///
        /// - Throws: the status with which the stream failed; INVALID_ARGUMENT when its bytes are no message;
        ///   CANCELLED when the task is cancelled.
        public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws(RPCError)
            -> Message?
        {
            var polled = try self.source.poll()
            while case .wait = polled {
                await self.source.wait()
                polled = try self.source.poll()
            }
            guard case .message(let data) = polled else { return nil }
            do throws(ProtoDecodingError) {
                return try Message(serialized: data)
            } catch {
                throw .protocolViolation("a message of the stream is not a valid \(Message.self)")
            }
        }
    }

    /// Begins to walk; what was consumed before does not come again.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: self.source)
    }
}

/// Sends messages on a stream. They arrive in the order in which one task sends them.
public struct RPCWriter<Message: ProtoMessage>: Sendable {
    let sink: any MessageSink

    /// Sends a message; waits while the connection has as much to send as it may hold.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when the message does not fit into a frame (G5-04), CANCELLED when the task is
    ///   cancelled, the stream's own status when it has ended. Returning does not mean that the message arrived.
    public func send(_ message: Message) async throws(RPCError) {
        if try self.sink.sendNow(message) { return }
        let data = try FrameEncoding.message(message, maximumDataBytes: self.sink.maximumDataBytes)
        try await self.sink.send(data)
    }
}
