import GatewayAPI
import NIOCore
import NIOHTTP1

/// Answers requests to engines on the event loop of their connection, and passes all others on to Hummingbird: tasks and
/// streams between the two connections cost several times what such a request does (`make bench-online`).
///
/// What a request has to pass, and what is told and logged of it, are the same functions for both (`RequestChecks`).
final class OnlineHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let service: OnlineService
    private var turns = RequestTurnsStateMachine()
    /// The request that is answered here.
    private var exchange: OnlineExchange?
    /// Whether the parts behind asked for more while parts were held.
    private var readIsHeld = false
    /// Whether `goOn` is at it. What it takes may end at once and call it again: it must not run inside itself, as deep
    /// as a client has requests in its pipeline.
    private var isGoingOn = false

    init(service: OnlineService) {
        self.service = service
    }

    private static func isOnline(_ head: HTTPRequestHead) -> Bool {
        head.method == .POST && InferencePath(rawValue: RequestHead(head).path) != nil
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = self.unwrapInboundIn(data)
        self.act(self.turns.received(part, isForHere: Self.isOnline), part, context: context)
    }

    private func act(
        _ action: RequestTurnsStateMachine.Action,
        _ part: HTTPServerRequestPart,
        context: ChannelHandlerContext
    ) {
        switch action {
        case .pass: context.fireChannelRead(self.wrapInboundOut(part))
        case .take: self.take(part, context: context)
        case .hold: break
        }
    }

    private func take(_ part: HTTPServerRequestPart, context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            let exchange = OnlineExchange(head, service: self.service, context: context) { self.ended(context) }
            self.exchange = exchange
            exchange.begin()
        case .body(let bytes): self.exchange?.received(bytes)
        case .end: self.exchange?.receivedEnd()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.exchange?.readCompleted()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if self.turns.isHolding { self.readIsHeld = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let exchange = self.exchange, let error = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        exchange.failed(APIError(error))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        // The parts behind know of no request and would close the connection. It closes after the answer all the same.
        case is ChannelShouldQuiesceEvent where self.turns.isBusy: return
        case ChannelEvent.inputClosed:
            // A client that has closed its side does not want an answer any more: that is how they leave, and waiting for
            // another sign would keep an engine busy for nobody (A10-05).
            if let exchange = self.exchange {
                exchange.clientLeft()
                context.close(promise: nil)
            }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.exchange?.clientLeft()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.exchange?.resume() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        guard case .end = self.unwrapOutboundIn(data) else { return }
        self.turns.endedBehind()
        self.goOn(context)
    }

    private func ended(_ context: ChannelHandlerContext) {
        self.exchange = nil
        self.turns.endedHere()
        self.goOn(context)
    }

    /// Takes the parts that need not wait any more.
    private func goOn(_ context: ChannelHandlerContext) {
        guard !self.isGoingOn else { return }
        self.isGoingOn = true
        var hasPassed = false
        while let (part, action) = self.turns.next(isForHere: Self.isOnline) {
            if action == .pass { hasPassed = true }
            self.act(action, part, context: context)
        }
        self.isGoingOn = false
        // The tasks behind are given what was passed when a read is complete.
        if hasPassed { context.fireChannelReadComplete() }
        self.exchange?.readCompleted()
        guard self.readIsHeld, !self.turns.isHolding else { return }
        self.readIsHeld = false
        context.read()
    }
}
