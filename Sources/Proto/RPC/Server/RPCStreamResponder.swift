public import NIOCore
public import ProtoMessages

/// Answers one stream on its connection's event loop, without a task: at a fraction of what a handler with a task costs.
///
/// Everything is called on the event loop, one at a time, and must neither block nor compute for long. What happens
/// elsewhere reaches the stream by `RPCStreamWaker`.
public protocol RPCStreamResponder<Request, Response>: AnyObject, SendableMetatype {
    /// Messages that come.
    associatedtype Request: ProtoMessage
    /// Messages that go.
    associatedtype Response: ProtoMessage

    /// A message came. It must be taken now: who cannot let its peer send without limit lets it send by credits.
    /// - Throws: the status with which the stream ends; `ended` follows.
    func received(_ message: Request) throws(RPCError)

    /// The client sends nothing more. What throwing means is as for `received`.
    func receivedEnd() throws(RPCError)

    /// What is to be sent next. Asked again and again while the connection has room, after anything was received and
    /// after `RPCStreamWaker.wake`, until it gives something else than a message.
    func next() -> RPCStreamStep<Response>

    /// The stream has ended and nothing more is sent: its deadline passed, the client cancelled it or is gone, or
    /// `received` threw. It is not called after `next` has ended the stream.
    func ended(_ error: RPCError)
}

/// What a responder has to send.
public enum RPCStreamStep<Response: ProtoMessage>: Sendable, Equatable {
    /// A message.
    case message(Response)
    /// Nothing yet: the responder wakes the stream when there is something.
    case wait
    /// Nothing more; the stream ends well.
    case end
    /// Nothing more; the stream ends with this status.
    case failed(RPCError)
}

/// What a connection needs of a responder, without its types: closures that are made where the types are known, so that
/// the code around a message is that of its type and not generic at run time.
@usableFromInline
struct StreamResponder {
    /// A message came; throws what the responder throws, and INVALID_ARGUMENT when it cannot be read.
    @usableFromInline let received: (_ data: ByteBuffer) throws(RPCError) -> Void
    @usableFromInline let receivedEnd: () throws(RPCError) -> Void
    @usableFromInline let ended: (RPCError) -> Void
    /// Appends the frames of messages while there are any and room for them, until `buffer` holds `fullBytes`.
    /// `reserve` takes room for a message of so many bytes, or gives false.
    ///
    /// Throws RESOURCE_EXHAUSTED when a message does not fit into a frame (G5-04); those before it were appended.
    @usableFromInline let appendMessages:
        (
            _ header: FrameEncoding.Header,
            _ maximumDataBytes: Int,
            _ fullBytes: Int,
            _ buffer: inout ByteBuffer,
            _ reserve: (Int) -> Bool
        ) throws(RPCError) -> StreamResponderStep
}

/// What came of asking a responder.
@usableFromInline
enum StreamResponderStep: Equatable {
    /// The buffer is full; there may be more.
    case full
    /// There is no room yet; the message is kept.
    case held
    case wait
    case end
    case failed(RPCError)
}

extension StreamResponder {
    @inlinable
    init<Base: RPCStreamResponder>(_ base: Base) {
        // A message for which there was no room.
        var held: Base.Response?
        self.received = { data throws(RPCError) in
            let message: Base.Request
            do throws(ProtoDecodingError) {
                message = try Base.Request(serialized: data)
            } catch {
                throw .protocolViolation("a message of the stream is not a valid \(Base.Request.self)")
            }
            try base.received(message)
        }
        self.receivedEnd = { () throws(RPCError) in try base.receivedEnd() }
        self.ended = { error in
            held = nil
            base.ended(error)
        }
        self.appendMessages = { header, maximumDataBytes, fullBytes, buffer, reserve throws(RPCError) in
            var first = held
            held = nil
            while buffer.readableBytes < fullBytes {
                let message: Base.Response
                if let next = first {
                    first = nil
                    message = next
                } else {
                    switch base.next() {
                    case .message(let next): message = next
                    case .wait: return .wait
                    case .end: return .end
                    case .failed(let error): return .failed(error)
                    }
                }
                let fits = try FrameEncoding.append(
                    message,
                    behind: header,
                    maximumDataBytes: maximumDataBytes,
                    to: &buffer,
                    reserve: reserve
                )
                guard fits else {
                    held = message
                    return .held
                }
            }
            held = first
            return .full
        }
    }
}
