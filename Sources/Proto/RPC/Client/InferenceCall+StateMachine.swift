import NIOCore
import ProtoMessages

/// One request to an engine as its client sees it: a body that is in memory goes out, an answer comes in. No I/O: events
/// in, messages out.
///
/// The body is kept until the answer's head has come, so that a call that was not accepted can begin anew.
struct InferenceCallStateMachine: Sendable {
    private typealias Exchange = ChunkExchangeStateMachine<InferResponse, InferRequest>

    private let head: InferHead
    private var body: ByteBuffer
    private var exchange = Exchange()
    /// What of the body was not offered to the exchange yet.
    private var unsent: ByteBuffer
    private var hasBegun = false
    private var hasTakenHead = false
    /// Whether the consumer found nothing, so that it has to be told of what comes.
    private var isAwaited = true

    /// - Parameters:
    ///   - head: what is asked; its `contentBytes` are set to the body's.
    ///   - body: 1 byte to 64 MiB.
    init(head: InferHead, body: ByteBuffer) {
        var head = head
        head.contentBytes = UInt64(body.readableBytes)
        self.head = head
        self.body = body
        self.unsent = body
    }

    /// Whether the engine's answer has begun, so that the call cannot begin anew.
    var isAnswered: Bool { self.exchange.head != .wait }

    /// An attempt begins: everything is sent from the start.
    mutating func begin() {
        if self.hasBegun { self.exchange = Exchange() }
        self.hasBegun = true
        self.exchange.offer(head: self.head)
        self.unsent = self.body
    }

    /// The next message to send; nil: there is none, or no credit for it.
    mutating func next() -> InferRequest? {
        self.offerBody()
        guard case .message(let message) = self.exchange.next() else { return nil }
        return message
    }

    private mutating func offerBody() {
        let count = min(self.unsent.readableBytes, CreditWindow.maximumChunkBytes)
        guard count > 0, self.exchange.hasRoom(for: count), let chunk = self.unsent.readSlice(length: count) else {
            return
        }
        _ = self.exchange.offer(chunk)
        if self.unsent.readableBytes == 0 { self.unsent = ByteBuffer() }
    }

    /// A message came. True: it was a credit, so that `next` may have more.
    /// - Throws: INTERNAL when it must not come now.
    mutating func received(_ message: InferResponse) throws(RPCError) -> Bool {
        do throws(RPCError) {
            try self.exchange.receive(message)
        } catch {
            throw RPCError(code: .internal, message: error.message)
        }
        if self.isAnswered { self.body = ByteBuffer() }
        if case .credit = message.part { return true }
        return false
    }

    /// The server has ended the stream.
    /// - Throws: INTERNAL when something is missing.
    mutating func ended() throws(RPCError) {
        do throws(RPCError) {
            try self.exchange.incomingEnded()
        } catch {
            throw RPCError(code: .internal, message: error.message)
        }
    }

    /// The call has failed; what came before can still be taken.
    mutating func fail(_ error: RPCError) {
        self.exchange.fail(error)
        self.body = ByteBuffer()
        self.unsent = ByteBuffer()
    }

    /// Whether the consumer is to be told now that there is something to take; it is told once.
    mutating func shouldTell() -> Bool {
        guard self.isAwaited, self.hasArrivals else { return false }
        self.isAwaited = false
        return true
    }

    private var hasArrivals: Bool {
        self.exchange.hasArrivals || !self.hasTakenHead && self.isAnswered
    }

    /// Takes what has come; nil: nothing, and `shouldTell` will say when there is something.
    mutating func take() -> InferenceArrival? {
        if !self.hasTakenHead, case .head(let head) = self.exchange.head {
            self.hasTakenHead = true
            return .head(head)
        }
        switch self.exchange.take(upTo: .max) {
        case .bytes(let bytes): return .piece(bytes)
        case .end: return .end
        case .failed(let error): return .failed(error)
        case .wait:
            self.isAwaited = true
            return nil
        }
    }

    /// Whether a credit waits to be sent.
    var hasGrant: Bool { self.exchange.hasGrant }
}
