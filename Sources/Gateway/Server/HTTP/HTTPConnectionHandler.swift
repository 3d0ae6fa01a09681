import GatewayAPI
import NIOCore
import NIOHTTP1

/// Carries out what `HTTPConnectionStateMachine` decides, between NIO's HTTP parser and Hummingbird.
///
/// All errors of the HTTP layer are answered here, with the API's error object (A9-04).
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let keys: KeyCheck
    private let accessLog: AccessLog
    private var state: HTTPConnectionStateMachine
    /// Head of the request that came last, for the log of a refusal.
    private var newestHead: HTTPRequestHead?
    /// Whether the parts behind asked for more and have not got it yet.
    private var isReading = false
    /// Whether the last answer waits for room in the socket.
    private var isFlushingLastAnswer = false
    private var tick: Scheduled<Void>?

    init(limits: HTTPLimits, keys: KeyCheck, accessLog: AccessLog) {
        self.keys = keys
        self.accessLog = accessLog
        self.state = HTTPConnectionStateMachine(limits: limits, now: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.scheduleTick(context)
    }

    private func scheduleTick(_ context: ChannelHandlerContext) {
        self.tick = context.eventLoop.assumeIsolated().scheduleTask(in: self.state.tickInterval) {
            if self.state.tick(now: .now(), isReading: self.isReading) == .close {
                context.close(promise: nil)
            } else {
                self.scheduleTick(context)
            }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.tick?.cancel()
        self.tick = nil
    }

    // MARK: Inbound

    func read(context: ChannelHandlerContext) {
        self.isReading = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = self.unwrapInboundIn(data)
        switch part {
        case .head(let head): self.received(head, context: context)
        case .body(let bytes):
            if self.state.receivedBody(bytes: bytes.readableBytes, now: .now()) { context.fireChannelRead(data) }
        case .end:
            if self.state.receivedEnd(now: .now()) { context.fireChannelRead(data) }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parserError = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        switch self.state.failed(APIError(parserError)) {
        case nil: context.fireErrorCaught(error)
        case .refuse(let error):
            self.newestHead = nil
            self.refuse(error, context: context)
        case .drop, .forward, .forwardAndContinue: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, self.state.quiesces() {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.state.writability(context.channel.isWritable, now: .now())
        context.fireChannelWritabilityChanged()
    }

    private func received(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        switch self.state.received(head: head, keyRefusal: { self.keys.refusal(of: head) }, now: .now()) {
        case .forward: context.fireChannelRead(self.wrapInboundOut(.head(head)))
        case .forwardAndContinue:
            self.sendContinue(context)
            context.fireChannelRead(self.wrapInboundOut(.head(head)))
        case .refuse(let error):
            self.newestHead = head
            self.refuse(error, context: context)
        case .drop: self.newestHead = head
        }
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(var head):
            if self.state.answers() { head.headers.replaceOrAdd(name: "connection", value: "close") }
            context.write(self.wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end: self.writeEnd(data, context: context, promise: promise)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // What waits for room in the socket would be lost; the connection closes when it is written.
        guard self.isFlushingLastAnswer else {
            context.close(mode: mode, promise: promise)
            return
        }
        promise?.succeed()
    }

    private func writeEnd(_ data: NIOAny, context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        switch self.state.answerEnded(now: .now()) {
        case .none: context.write(data, promise: promise)
        case .sendContinue:
            context.write(data, promise: promise)
            self.sendContinue(context)
        case .refuse(let error):
            context.write(data, promise: promise)
            self.refuse(error, context: context)
        case .close(let linger):
            let written = promise ?? context.eventLoop.makePromise()
            self.close(after: written, linger: linger, context: context)
            context.writeAndFlush(data, promise: written)
        }
    }

    private func close(after written: EventLoopPromise<Void>, linger: Bool, context: ChannelHandlerContext) {
        self.isFlushingLastAnswer = true
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.isFlushingLastAnswer = false
            guard linger, context.channel.isActive else {
                context.close(promise: nil)
                return
            }
            self.state.lingers(now: .now())
            context.close(mode: .output, promise: nil)
            context.read()
        }
    }

    private func sendContinue(_ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(self.wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Writes an error of this layer and ends the connection.
    private func refuse(_ error: APIError, context: ChannelHandlerContext) {
        let requestID = RequestID.choose(self.newestHead?.headers.first(name: "x-request-id"))
        let body = error.json.encoded()
        var headers = HTTPHeaders(error.headers)
        headers.add(name: "content-type", value: "application/json")
        headers.add(name: "content-length", value: String(body.readableBytes))
        headers.add(name: "x-request-id", value: requestID)
        headers.add(name: "connection", value: "close")
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: error.status),
            headers: headers
        )
        let written = context.eventLoop.makePromise(of: Void.self)
        self.close(after: written, linger: true, context: context)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: written)
        self.accessLog.write(
            method: self.newestHead?.method.rawValue ?? "-",
            path: self.newestHead.map { RequestHead($0).path } ?? "-",
            status: error.status,
            bytes: body.readableBytes,
            duration: .zero,
            requestID: requestID
        )
    }
}

extension Optional {
    /// Gives the value away.
    mutating func take() -> Wrapped? {
        defer { self = nil }
        return self
    }
}
