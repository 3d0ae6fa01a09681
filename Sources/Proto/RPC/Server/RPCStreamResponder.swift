import NIOCore
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

/// What a connection needs of a responder, without its types.
protocol StreamResponder: AnyObject {
    func received(_ data: ByteBuffer) throws(RPCError)
    func receivedEnd() throws(RPCError)
    func ended(_ error: RPCError)
    /// Appends the frame of the next message, if there is one and room for it.
    ///
    /// - Parameter reserve: takes room for a message of so many bytes, or gives false.
    /// - Throws: RESOURCE_EXHAUSTED when the message does not fit into a frame (G5-04).
    func appendNext(
        behind header: FrameEncoding.Header,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer,
        reserve: (Int) -> Bool
    ) throws(RPCError) -> StreamResponderStep
}

/// What came of asking a responder.
enum StreamResponderStep: Equatable {
    case appended
    /// There is no room yet; the message is kept.
    case held
    case wait
    case end
    case failed(RPCError)
}

/// Reads and writes the messages of a responder.
final class TypedStreamResponder<Base: RPCStreamResponder>: StreamResponder {
    private let base: Base
    /// A message for which there was no room.
    private var held: Base.Response?

    init(_ base: Base) {
        self.base = base
    }

    func received(_ data: ByteBuffer) throws(RPCError) {
        let message: Base.Request
        do throws(ProtoDecodingError) {
            message = try Base.Request(serialized: data)
        } catch {
            throw .protocolViolation("a message of the stream is not a valid \(Base.Request.self)")
        }
        try self.base.received(message)
    }

    func receivedEnd() throws(RPCError) {
        try self.base.receivedEnd()
    }

    func ended(_ error: RPCError) {
        self.held = nil
        self.base.ended(error)
    }

    func appendNext(
        behind header: FrameEncoding.Header,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer,
        reserve: (Int) -> Bool
    ) throws(RPCError) -> StreamResponderStep {
        let message: Base.Response
        if let held = self.held {
            self.held = nil
            message = held
        } else {
            switch self.base.next() {
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
        if fits { return .appended }
        self.held = message
        return .held
    }
}
