import GatewayAPI
import GatewayAccess
import NIOCore
import NIOHTTP1
import ProtoRPC

/// One online request and its answer, on the event loop of its connection (A10).
///
/// Body and answer are passed on as they are. No task is behind it: it ends when the answer is written, and at once when
/// the client has gone, in whatever state the request is then.
final class OnlineExchange {
    private enum Phase {
        case head
        /// What is wrong with the head is told when the request has come, or when the client sends nothing more for now: a
        /// connection whose request was answered too early cannot go on.
        case refused(APIError)
        case body(HeldBody, InferencePath, Caller)
        case answer(Pass, InferenceCall?)
        case over
    }

    /// What a scheduler is asked.
    private struct Pass {
        let request: InferenceRequest
        let path: InferencePath
        let caller: Caller
        let body: HeldBody
        var route: ModelRoute
    }

    private let service: OnlineService
    private let context: ChannelHandlerContext
    private let onEnd: () -> Void
    private let start = NIODeadline.now()
    private let head: RequestHead
    private let headers: HTTPHeaders
    private let requestID: String
    private var phase = Phase.head
    private var answer: OnlineAnswerStateMachine
    /// Whether the engine has begun to answer.
    private var isAnswered = false
    private var tier = ServiceTier.default
    /// The place of the request among its tenant's.
    private var admission: Admission?
    /// The end of the answer, which tells the tokens used, where they are counted.
    private var tail: AnswerTail?
    private var keepAlive: Scheduled<Void>?
    /// What the answer says; nil until its head is written.
    private var status: Int?
    private var contentLength = 0

    /// - Parameter onEnd: called once, when the answer is written or nobody is there to read it.
    init(_ head: HTTPRequestHead, service: OnlineService, context: ChannelHandlerContext, onEnd: @escaping () -> Void) {
        self.head = RequestHead(head)
        self.headers = head.headers
        self.requestID = RequestID.choose(head.headers.first(name: "x-request-id"))
        self.service = service
        self.context = context
        self.onEnd = onEnd
        self.answer = OnlineAnswerStateMachine(keepAlive: TimeAmount(service.keepAlive))
    }

    // MARK: Request

    /// Judges the head.
    func begin() {
        do throws(APIError) {
            let passed = try self.service.checks.check(self.head, Credentials(self.headers))
            self.admission = passed.admission
            if let refusal = passed.admission?.refusal { throw refusal }
            guard case .inference(let path) = try passed.route.get() else { throw .internalError }
            self.phase = .body(HeldBody(budget: self.service.budget), path, passed.caller)
        } catch {
            self.phase = .refused(error)
        }
    }

    /// A piece of the body came.
    func received(_ bytes: ByteBuffer) {
        guard case .body(let body, _, _) = self.phase else { return }
        do throws(APIError) {
            try body.append(bytes)
        } catch {
            self.refuse(error)
        }
    }

    /// The body cannot be read to its end.
    func failed(_ error: APIError) {
        if case .body = self.phase { self.refuse(error) } else { self.readCompleted() }
    }

    /// Nothing more has come for now.
    func readCompleted() {
        if case .refused(let error) = self.phase { self.refuse(error) }
    }

    /// The body is whole.
    func receivedEnd() {
        self.readCompleted()
        guard case .body(let body, let path, let caller) = self.phase else { return }
        do throws(APIError) {
            let wanted = try InferenceRequest.parse(body.bytes)
            self.tier = wanted.tier
            let route = ModelRoute(model: wanted.model, directory: self.service.models)
            self.send(Pass(request: wanted, path: path, caller: caller, body: body, route: route))
        } catch {
            self.refuse(error)
        }
    }

    /// Tries a scheduler.
    private func send(_ pass: Pass) {
        self.phase = .answer(pass, nil)
        let (bound, eventLoop) = (NIOLoopBound(self, eventLoop: self.context.eventLoop), self.context.eventLoop)
        let call = self.service.call(
            pass.request,
            path: pass.path,
            body: pass.body.bytes,
            caller: pass.caller,
            requestID: self.requestID,
            scheduler: pass.route.scheduler,
            on: eventLoop
        ) {
            if eventLoop.inEventLoop { bound.value.resume() } else { eventLoop.execute { bound.value.resume() } }
        }
        self.phase = .answer(pass, call)
        // What came before the call was known here.
        self.resume()
    }

    /// A try has failed before the engine answered. Whether there is another one.
    private func goesOn(_ pass: Pass, after error: RPCError) -> Bool {
        var pass = pass
        switch pass.route.failed(error) {
        case .giveUp: return false
        case .goOn: self.send(pass)
        case .look:
            self.phase = .answer(pass, nil)
            let (bound, eventLoop) = (
                NIOLoopBound((self, pass), eventLoop: self.context.eventLoop), self.context.eventLoop
            )
            self.service.models.afterLook {
                eventLoop.execute {
                    let (exchange, pass) = bound.value
                    exchange.looked(pass, after: error)
                }
            }
        }
        return true
    }

    private func looked(_ pass: Pass, after error: RPCError) {
        guard case .answer = self.phase else { return }
        var pass = pass
        if pass.route.goesOnAfterLook() { self.send(pass) } else { self.refuse(APIError(inference: error)) }
    }

    /// The client has gone.
    func clientLeft() {
        self.end(status: self.status ?? APIError.clientHasLeft.status)
    }

    // MARK: Answer

    /// Something of the answer has come, or the client takes more: passes on what the socket takes.
    func resume() {
        var hasWritten = false
        while self.context.channel.isWritable, case .answer(let pass, let call?) = self.phase, let arrival = call.take()
        {
            switch arrival {
            // The engine has begun to answer.
            case .head:
                pass.body.release()
                self.isAnswered = true
            case .failed(let error) where !self.isAnswered:
                if self.goesOn(pass, after: error) { continue }
            case .failed, .piece, .end: break
            }
            hasWritten = self.act(self.answer.received(arrival, now: .now())) || hasWritten
            self.tickWhenSilent()
        }
        if hasWritten { self.context.flush() }
    }

    /// Gives whether something was written that has to be flushed.
    private func act(_ action: OnlineAnswerStateMachine.Action) -> Bool {
        switch action {
        case .none: return false
        case .write(let head, let bytes, let isEnd):
            if let head { self.write(head) }
            if bytes.readableBytes > 0 {
                self.tail?.passed(bytes)
                self.write(.body(.byteBuffer(bytes)))
            }
            guard isEnd else { return true }
            if let tail = self.tail { self.admission?.ended(tail) }
            self.write(.end(nil))
            self.context.flush()
            self.end(status: self.status ?? 0)
            return false
        case .refuse(let error):
            self.refuse(error)
            return false
        case .cut:
            self.end(status: self.status ?? 0)
            self.context.close(promise: nil)
            return false
        }
    }

    private func tickWhenSilent() {
        guard self.keepAlive == nil, self.answer.isEventStream, case .answer = self.phase else { return }
        let interval = TimeAmount(self.service.keepAlive)
        self.keepAlive = self.context.eventLoop.assumeIsolated().scheduleTask(in: interval) {
            self.keepAlive = nil
            guard self.context.channel.isWritable else { return self.tickWhenSilent() }
            if self.act(self.answer.tick(now: .now())) { self.context.flush() }
            self.tickWhenSilent()
        }
    }

    private func write(_ answer: OnlineAnswerStateMachine.Head) {
        var headers = HTTPHeaders()
        headers.reserveCapacity(8)
        if !answer.contentType.isEmpty { headers.add(name: "content-type", value: answer.contentType) }
        if let seconds = answer.retryAfterSeconds { headers.add(name: "retry-after", value: String(seconds)) }
        if answer.isEvents {
            headers.add(name: "cache-control", value: "no-cache")
            // For an nginx in between.
            headers.add(name: "x-accel-buffering", value: "no")
        }
        headers.add(name: "x-backfill-service-tier", value: self.tier.rawValue)
        self.tail = self.admission?.tail(ofAnswerWith: answer.status)
        self.write(status: answer.status, headers, contentLength: answer.contentLength)
    }

    /// Answers with an error: nothing was written before.
    private func refuse(_ error: APIError) {
        let body = error.json.encoded()
        var headers = HTTPHeaders(error.headers)
        headers.add(name: "content-type", value: "application/json")
        self.write(status: error.status, headers, contentLength: body.readableBytes)
        self.write(.body(.byteBuffer(body)))
        self.write(.end(nil))
        self.context.flush()
        self.end(status: error.status)
    }

    /// The head, with what every answer tells.
    private func write(status: Int, _ headers: HTTPHeaders, contentLength: Int?) {
        var headers = headers
        if let contentLength { headers.add(name: "content-length", value: String(contentLength)) }
        for (name, value) in self.admission?.headers ?? [] { headers.add(name: name, value: value) }
        headers.add(name: "x-request-id", value: self.requestID)
        let milliseconds = (NIODeadline.now() - self.start).nanoseconds / 1_000_000
        headers.add(name: "openai-processing-ms", value: String(milliseconds))
        headers.add(name: "date", value: self.service.date.value)
        self.status = status
        self.contentLength = contentLength ?? 0
        self.write(.head(.init(version: .http1_1, status: .init(statusCode: status), headers: headers)))
    }

    private func write(_ part: HTTPServerResponsePart) {
        self.context.write(NIOAny(part), promise: nil)
    }

    // MARK: End

    private func end(status: Int) {
        if case .over = self.phase { return }
        if case .answer(_, let call) = self.phase { call?.cancel() }
        self.phase = .over
        self.keepAlive?.cancel()
        self.keepAlive = nil
        self.admission = nil
        self.service.accessLog.write(
            method: self.head.method,
            path: self.head.path,
            status: status,
            bytes: self.contentLength,
            duration: .nanoseconds((NIODeadline.now() - self.start).nanoseconds),
            requestID: self.requestID
        )
        self.onEnd()
    }
}
