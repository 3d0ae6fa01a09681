import CurlHTTP
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerEngines

/// Answers one call of `Infer` without a task: what comes on the event loop goes to the callbacks of the transfer to the
/// engine, on the thread of its HTTP client, and back. Bound to the event loop of the call's connection.
final class InferenceCall: RPCStreamResponder {
    private let dispatcher: Dispatcher
    private let context: RPCContext
    private let waker: RPCStreamWaker
    private let exchange = InferExchange()
    /// Checked when the head came.
    private var request: EngineRequest?
    /// Begun when the first bytes of the body came.
    private var call: EngineCall?

    init(dispatcher: Dispatcher, waker: RPCStreamWaker, context: RPCContext) {
        self.dispatcher = dispatcher
        self.waker = waker
        self.context = context
    }

    func received(_ message: InferRequest) throws(RPCError) {
        let arrival = try self.exchange.received(message)
        if let head = arrival.head { self.request = try EngineRequest(head, self.context) }
        guard let request = self.request else { throw Self.noHead }
        if let call = self.call {
            if arrival.resumes { call.control.resume() }
        } else if arrival.hasBody {
            self.begin(request)
        }
    }

    func receivedEnd() throws(RPCError) {
        guard self.request != nil else { throw Self.noHead }
        if try self.exchange.receivedEnd() { self.call?.control.resume() }
    }

    func next() -> RPCStreamStep<InferResponse> {
        let (step, resumes) = self.exchange.next()
        if resumes { self.call?.control.resume() }
        return step
    }

    func ended(_: RPCError) {
        self.call?.cancel()
    }

    private static let noHead = RPCErrors.invalid("head", "The first message has to be the head.")

    private func begin(_ request: EngineRequest) {
        let (exchange, waker) = (self.exchange, self.waker)
        let sink = EngineCall.Sink(
            maximumBytes: InferLimits.maximumContentBytes,
            onHead: { exchange.offer(head: InferAnswerHead($0)) },
            onBody: { exchange.offer($0) ? .taken : .pause },
            onTurn: { waker.wake() }
        )
        let body: EngineCall.Body =
            if let whole = exchange.takeWhole() { .whole(whole) } else { .streamed { try exchange.read(into: $0) } }
        let call = EngineCall(request, body, sink, dispatcher: self.dispatcher)
        self.call = call
        // What the engine sent before it broke off goes out before the error.
        call.begin { error in
            exchange.finish(error)
            waker.wake()
        }
    }
}

extension InferExchange {
    /// Fills a buffer with the next bytes of the body; nil: there are none yet, 0: it has ended. The turn of the transfer
    /// in which this is called wakes the stream, for a credit there may be to send.
    fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) throws(RPCError) -> Int? {
        guard let bytes = try self.take(upTo: buffer.count) else { return nil }
        bytes.withUnsafeReadableBytes { buffer.copyMemory(from: $0) }
        return bytes.readableBytes
    }
}

extension InferAnswerHead {
    private static let maximumTypeBytes = 1 << 10

    /// The head of an engine's answer; a content type that is absurdly long is left out.
    init(_ head: EngineAnswerHead) {
        self.init(
            status: UInt32(clamping: head.status),
            contentType: head.contentType.utf8.count <= Self.maximumTypeBytes ? head.contentType : "",
            retryAfterMilliseconds: head.retryAfterMilliseconds.map { UInt32(clamping: $0) },
            contentBytes: head.contentBytes.map { UInt64($0) }
        )
    }
}
