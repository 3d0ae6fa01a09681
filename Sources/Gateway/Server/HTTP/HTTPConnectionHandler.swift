import GatewayAPI
import Glibc
import NIOCore
import NIOHTTP1

/// Carries out what `HTTPConnectionStateMachine` decides, between NIO's HTTP parser and those who answer: `OnlineRequests`
/// here on the event loop, and Hummingbird's tasks behind.
///
/// All errors of the HTTP layer are answered here, with the API's error object (A9-04).
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let keys: KeyCheck
    private let accessLog: AccessLog
    private let online: OnlineRequests
    private var state: HTTPConnectionStateMachine
    /// The request that came last, for the log of a refusal.
    private var newest: IncomingRequest?
    /// For answers that are written here.
    private var encoder = AnswerEncoder()
    /// The place in the pipeline before NIO's encoder, from where bytes go to the socket as they are.
    private var wire: ChannelHandlerContext?
    /// Whether the socket takes more.
    private(set) var isWritable = true
    /// Whether the parts behind asked for more and have not got it yet.
    private var isReading = false
    /// Whether the last answer waits for room in the socket.
    private var isFlushingLastAnswer = false
    private var tick: Scheduled<Void>?

    /// - Parameter wire: the context of NIO's encoder, before which answers from here are written.
    init(limits: HTTPLimits, keys: KeyCheck, accessLog: AccessLog, online: OnlineService, wire: ChannelHandlerContext) {
        self.keys = keys
        self.accessLog = accessLog
        self.online = OnlineRequests(service: online)
        self.wire = wire
        self.state = HTTPConnectionStateMachine(limits: limits, now: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        self.online.begin(on: self, context)
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
        self.wire = nil
        self.online.end()
    }

    // MARK: Inbound

    func read(context: ChannelHandlerContext) {
        if self.online.askedToRead() { self.readOn(context) }
    }

    /// Whoever answers takes more.
    func readOn(_ context: ChannelHandlerContext) {
        self.isReading = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head): self.received(IncomingRequest(head), context: context)
        case .body(let bytes):
            if self.state.receivedBody(bytes: bytes.readableBytes, now: .now()) { self.online.received(.body(bytes)) }
        case .end(let trailers):
            if self.state.receivedEnd(now: .now()) { self.online.received(.end(trailers)) }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        if self.online.readCompleted() { context.fireChannelReadComplete() }
        // Nobody behind asks for what is only read to be dropped.
        if self.state.isLingering { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.online.closed()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parserError = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        switch self.state.failed(APIError(parserError)) {
        case nil: if !self.online.failed(APIError(parserError)) { context.fireErrorCaught(error) }
        case .refuse(let error):
            self.newest = nil
            self.refuse(error, context: context)
        case .drop, .forward, .forwardAndContinue: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            if self.state.quiesces() { context.close(promise: nil) }
            // The parts behind know of no request and would close the connection. It closes after the answer all the
            // same.
            if self.online.isBusy { return }
        case ChannelEvent.inputClosed:
            // A client that has closed its side does not want an answer any more: that is how they leave, and waiting for
            // another sign would keep an engine busy for nobody (A10-05).
            if self.online.clientLeft() { context.close(promise: nil) }
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.isWritable = context.channel.isWritable
        self.state.writability(self.isWritable, now: .now())
        if self.isWritable { self.online.resume() }
        context.fireChannelWritabilityChanged()
    }

    private func received(_ request: IncomingRequest, context: ChannelHandlerContext) {
        switch self.state.received(request, keyRefusal: { request.keyRefusal(self.keys) }, now: .now()) {
        case .forward: self.online.received(.head(request))
        case .forwardAndContinue:
            self.sendContinue(context)
            self.online.received(.head(request))
        case .refuse(let error):
            self.newest = request
            self.refuse(error, context: context)
        case .drop: self.newest = request
        }
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(var head):
            let manner = self.state.answers()
            if manner.closes { head.headers.replaceOrAdd(name: "connection", value: "close") }
            // The encoder makes no chunks for it.
            if manner.isHTTP10 { head.version = .http1_0 }
            context.write(self.wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            self.writeEnd(context: context, promise: promise) { promise in context.write(data, promise: promise) }
            self.online.endedBehind()
        }
    }

    /// Writes the beginning of an answer from here, or all of it. Nothing reaches the socket before `flush`.
    func begin(_ head: AnswerHead, _ piece: ByteBuffer, isEnd: Bool, context: ChannelHandlerContext) {
        let manner = self.state.answers()
        self.write(self.encoder.begin(head, manner, piece, isEnd: isEnd), isEnd: isEnd, context: context)
    }

    /// Writes more of it.
    func goOn(_ piece: ByteBuffer, isEnd: Bool, context: ChannelHandlerContext) {
        self.write(self.encoder.goOn(piece, isEnd: isEnd), isEnd: isEnd, context: context)
    }

    /// Ends the connection with the answer unfinished, which its client notices: a chunk or a part of the length is
    /// missing, and where the end of the body is that of the connection, it is reset.
    func cut(context: ChannelHandlerContext) {
        if self.encoder.endsWithConnection, let socket = context.channel as? any SocketOptionProvider {
            // Done at once, since this is the event loop.
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        context.close(promise: nil)
        // Over TLS it closes later, and nothing that waits is answered meanwhile.
        self.online.closed()
    }

    /// Sends what was written.
    func flush() {
        self.wire?.flush()
    }

    private func write(_ output: AnswerEncoder.Output, isEnd: Bool, context: ChannelHandlerContext) {
        guard let wire = self.wire else { return }
        guard isEnd else { return output.write(to: wire, promise: nil) }
        self.writeEnd(context: context, promise: nil) { promise in output.write(to: wire, promise: promise) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // What waits for room in the socket would be lost; the connection closes when it is written.
        guard self.isFlushingLastAnswer else {
            context.close(mode: mode, promise: promise)
            return
        }
        promise?.succeed()
    }

    /// Ends an answer with what `write` writes, and does what follows from its end.
    private func writeEnd(
        context: ChannelHandlerContext,
        promise: EventLoopPromise<Void>?,
        write: (EventLoopPromise<Void>?) -> Void
    ) {
        switch self.state.answerEnded(now: .now()) {
        case .none: write(promise)
        case .sendContinue:
            write(promise)
            self.sendContinue(context)
        case .refuse(let error):
            write(promise)
            self.refuse(error, context: context)
        case .close(let linger):
            let written = promise ?? context.eventLoop.makePromise()
            self.close(after: written, linger: linger, context: context)
            write(written)
            context.flush()
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
        let requestID = RequestID.choose(self.newest?.fields.requestID)
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
            method: self.newest?.head.method ?? "-",
            path: self.newest?.head.path ?? "-",
            status: error.status,
            bytes: body.readableBytes,
            duration: .zero,
            requestID: requestID
        )
    }
}

extension AnswerEncoder.Output {
    /// Writes the bytes; the promise is done when all of them are on the socket.
    fileprivate func write(to wire: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard let large = self.large else { return wire.write(NIOAny(self.bytes), promise: promise) }
        if self.bytes.readableBytes > 0 { wire.write(NIOAny(self.bytes), promise: nil) }
        wire.write(NIOAny(large), promise: self.behind == nil ? promise : nil)
        if let behind { wire.write(NIOAny(behind), promise: promise) }
    }
}

extension Optional {
    /// Gives the value away.
    mutating func take() -> Wrapped? {
        defer { self = nil }
        return self
    }
}
