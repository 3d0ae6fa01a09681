import GatewayAPI
import NIOCore
import NIOHTTP1

/// The requests of a connection: those to engines are answered on its event loop, all others are passed on to Hummingbird.
/// Tasks and streams between the two connections cost several times what such a request does (`make bench-online`).
///
/// What a request has to pass, and what is told and logged of it, are the same functions for both (`RequestChecks`).
final class OnlineRequests {
    private let service: OnlineService
    private var connection: HTTPConnectionHandler?
    private var context: ChannelHandlerContext?
    private var turns = RequestTurnsStateMachine()
    private var requestIDs = RequestIDs()
    /// The request that is answered here.
    private var exchange: OnlineExchange?
    /// Whether parts were passed on since the last read was complete: then they are given to the tasks behind.
    private var hasPassed = false
    /// Whether the parts behind asked for more while parts were held.
    private var readIsHeld = false
    /// Whether nobody is there any more for whom a request that waits would be answered.
    private var clientHasLeft = false
    /// Whether `goOn` is at it. What it takes may end at once and call it again: it must not run inside itself, as deep
    /// as a client has requests in its pipeline.
    private var isGoingOn = false

    init(service: OnlineService) {
        self.service = service
    }

    /// The connection begins.
    func begin(on connection: HTTPConnectionHandler, _ context: ChannelHandlerContext) {
        self.connection = connection
        self.context = context
    }

    /// It has ended.
    func end() {
        self.closed()
        self.connection = nil
        self.context = nil
    }

    /// Whether a request is answered here, or one waits.
    var isBusy: Bool { self.turns.isBusy }

    // MARK: Requests

    /// A part of a request came.
    func received(_ part: RequestPart) {
        self.act(self.turns.received(part), part)
    }

    private func act(_ action: RequestTurnsStateMachine.Action, _ part: RequestPart) {
        switch action {
        case .pass:
            self.hasPassed = true
            self.context?.fireChannelRead(NIOAny(part.http))
        case .take: self.take(part)
        case .hold: break
        }
    }

    private func take(_ part: RequestPart) {
        switch part {
        case .head(let request):
            guard let connection, let context else { return }
            let requestID = self.requestIDs.choose(request.fields.requestID)
            let exchange = OnlineExchange(
                request,
                requestID: requestID,
                service: self.service,
                answer: AnswerWriter(connection: connection, context: context),
                onEnd: self.ended
            )
            self.exchange = exchange
            exchange.begin()
        case .body(let bytes): self.exchange?.received(bytes)
        case .end: self.exchange?.receivedEnd()
        }
    }

    /// Nothing more has come for now. Whether something was passed on.
    func readCompleted() -> Bool {
        self.exchange?.readCompleted()
        defer { self.hasPassed = false }
        return self.hasPassed
    }

    /// The parts behind take more. False: they get it later.
    func askedToRead() -> Bool {
        self.readIsHeld = self.turns.isHolding
        return !self.readIsHeld
    }

    /// The body that is coming cannot be read to its end. False: it is none of a request here.
    func failed(_ error: APIError) -> Bool {
        self.exchange?.failed(error)
        return self.exchange != nil
    }

    /// The client has gone. Whether it has left a request that is answered here.
    @discardableResult func clientLeft() -> Bool {
        guard let exchange = self.exchange else { return false }
        self.clientHasLeft = true
        exchange.clientLeft()
        return true
    }

    /// The connection has ended, whatever was under way.
    func closed() {
        self.clientHasLeft = true
        self.clientLeft()
    }

    /// The socket takes more.
    func resume() {
        self.exchange?.resume()
    }

    // MARK: Ends

    /// An answer from behind has ended.
    func endedBehind() {
        self.turns.endedBehind()
        self.goOn()
    }

    private func ended() {
        self.exchange = nil
        self.turns.endedHere()
        self.goOn()
    }

    /// Takes the parts that need not wait any more.
    private func goOn() {
        guard !self.isGoingOn, !self.clientHasLeft, self.turns.isHolding || self.readIsHeld else { return }
        self.isGoingOn = true
        while let (part, action) = self.turns.next() { self.act(action, part) }
        self.isGoingOn = false
        if self.readCompleted() { self.context?.fireChannelReadComplete() }
        guard self.readIsHeld, !self.turns.isHolding, let context = self.context else { return }
        self.readIsHeld = false
        self.connection?.readOn(context)
    }
}

/// Where an answer from the event loop is written.
struct AnswerWriter {
    let connection: HTTPConnectionHandler
    let context: ChannelHandlerContext

    var eventLoop: any EventLoop { self.context.eventLoop }
    var isWritable: Bool { self.connection.isWritable }

    /// Writes the beginning of the answer, or all of it.
    func begin(_ head: AnswerHead, _ piece: ByteBuffer, isEnd: Bool) {
        self.connection.begin(head, piece, isEnd: isEnd, context: self.context)
    }

    /// Writes more of it.
    func goOn(_ piece: ByteBuffer, isEnd: Bool) {
        self.connection.goOn(piece, isEnd: isEnd, context: self.context)
    }

    /// Sends what was written.
    func flush() {
        self.connection.flush()
    }

    /// Ends the connection with the answer unfinished, which its client notices.
    func cut() {
        self.connection.cut(context: self.context)
    }
}
