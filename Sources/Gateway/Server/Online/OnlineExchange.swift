import GatewayAPI
import GatewayAccess
import NIOCore
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
        case refused
        case body(Accepted)
        case answer(Pass)
        case over
    }

    /// A request whose head was in order. A class, as the next one: phases are looked at all the time, and copied for it.
    private final class Accepted {
        let path: InferencePath
        let caller: Caller
        let body: HeldBody

        init(path: InferencePath, caller: Caller, body: HeldBody) {
            self.path = path
            self.caller = caller
            self.body = body
        }
    }

    /// What a scheduler is asked.
    private final class Pass {
        let accepted: Accepted
        let request: InferenceRequest
        var route: ModelRoute
        /// The attempt under way; nil while it is looked where the model is.
        var call: InferenceCall?

        init(_ accepted: Accepted, _ request: InferenceRequest, route: ModelRoute) {
            self.accepted = accepted
            self.request = request
            self.route = route
        }
    }

    private let request: IncomingRequest
    private let requestID: String
    private let service: OnlineService
    private let writer: AnswerWriter
    private let onEnd: () -> Void
    private let start = NIODeadline.now()
    private var phase = Phase.head
    /// Why the request is `refused`.
    private var refusal: APIError?
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
    init(
        _ request: IncomingRequest,
        requestID: String,
        service: OnlineService,
        answer: AnswerWriter,
        onEnd: @escaping () -> Void
    ) {
        self.request = request
        self.requestID = requestID
        self.service = service
        self.writer = answer
        self.onEnd = onEnd
        self.answer = OnlineAnswerStateMachine(keepAlive: service.keepAlive)
    }

    // MARK: Request

    /// Judges the head.
    func begin() {
        do throws(APIError) {
            let passed = try self.service.checks.check(self.request)
            self.admission = passed.admission
            if let refusal = passed.admission?.refusal { throw refusal }
            guard case .inference(let path) = try passed.route.get() else { throw .internalError }
            let body = HeldBody(budget: self.service.budget)
            self.phase = .body(Accepted(path: path, caller: passed.caller, body: body))
        } catch {
            self.refusal = error
            self.phase = .refused
        }
    }

    /// A piece of the body came.
    func received(_ bytes: ByteBuffer) {
        guard case .body(let accepted) = self.phase else { return }
        do throws(APIError) {
            try accepted.body.append(bytes)
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
        if case .refused = self.phase, let refusal { self.refuse(refusal) }
    }

    /// The body is whole.
    func receivedEnd() {
        self.readCompleted()
        guard case .body(let accepted) = self.phase else { return }
        do throws(APIError) {
            let wanted = try InferenceRequest.parse(accepted.body.bytes)
            self.tier = wanted.tier
            let route = ModelRoute(model: wanted.model, directory: self.service.models)
            self.send(Pass(accepted, wanted, route: route))
        } catch {
            self.refuse(error)
        }
    }

    /// Tries a scheduler.
    private func send(_ pass: Pass) {
        pass.call = nil
        self.phase = .answer(pass)
        let eventLoop = self.writer.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        pass.call = self.service.call(
            pass.request,
            path: pass.accepted.path,
            body: pass.accepted.body.bytes,
            caller: pass.accepted.caller,
            requestID: self.requestID,
            trace: TraceContext(parent: self.request.fields.traceParent, state: self.request.fields.traceState),
            scheduler: pass.route.scheduler,
            on: eventLoop
        ) {
            if eventLoop.inEventLoop { bound.value.resume() } else { eventLoop.execute { bound.value.resume() } }
        }
        // What came before the call was known here.
        self.resume()
    }

    /// A try has failed before the engine answered. Whether there is another one.
    private func goesOn(_ pass: Pass, after error: RPCError) -> Bool {
        switch pass.route.failed(error) {
        case .giveUp: return false
        case .goOn: self.send(pass)
        case .look:
            pass.call = nil
            let eventLoop = self.writer.eventLoop
            let bound = NIOLoopBound((self, pass), eventLoop: eventLoop)
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
        while self.writer.isWritable, case .answer(let pass) = self.phase, let arrival = pass.call?.take() {
            switch arrival {
            // The engine has begun to answer.
            case .head:
                pass.accepted.body.release()
                self.isAnswered = true
            case .failed(let error) where !self.isAnswered:
                if self.goesOn(pass, after: error) { continue }
            case .failed, .piece, .end: break
            }
            if self.act(self.answer.received(arrival, now: .now())) { hasWritten = true }
            self.tickWhenSilent()
        }
        if hasWritten { self.writer.flush() }
    }

    /// Gives whether something was written that has to be flushed.
    private func act(_ action: OnlineAnswerStateMachine.Action) -> Bool {
        switch action {
        case .none: return false
        case .write(let head, let bytes, let isEnd):
            if let head { self.tail = self.admission?.tail(ofAnswerWith: head.status) }
            self.tail?.passed(bytes)
            if isEnd, let tail = self.tail { self.admission?.ended(tail) }
            if let head {
                self.begin(self.head(head), bytes, isEnd: isEnd)
            } else {
                self.writer.goOn(bytes, isEnd: isEnd)
            }
            if isEnd { self.endWritten() }
            return !isEnd
        case .refuse(let error):
            self.refuse(error)
            return false
        case .cut:
            // First: the request that waits behind this one may be refused at once, into the answer that is cut.
            self.writer.cut()
            self.end(status: self.status ?? 0)
            return false
        }
    }

    private func tickWhenSilent() {
        guard self.answer.isEventStream, self.keepAlive == nil, case .answer = self.phase else { return }
        self.keepAlive = self.writer.eventLoop.assumeIsolated().scheduleTask(in: self.service.keepAlive) {
            self.keepAlive = nil
            guard self.writer.isWritable else { return self.tickWhenSilent() }
            if self.act(self.answer.tick(now: .now())) { self.writer.flush() }
            self.tickWhenSilent()
        }
    }

    /// Answers with an error: nothing was written before.
    private func refuse(_ error: APIError) {
        let body = error.json.encoded()
        var head = self.head(status: error.status, contentType: "application/json", contentLength: body.readableBytes)
        head.others = error.headers
        self.begin(head, body, isEnd: true)
        self.endWritten()
    }

    private func head(_ answer: OnlineAnswerStateMachine.Head) -> AnswerHead {
        var head = self.head(
            status: answer.status,
            contentType: answer.contentType,
            contentLength: answer.contentLength
        )
        head.tier = self.tier
        head.isEvents = answer.isEvents
        if let seconds = answer.retryAfterSeconds { head.others.append(("retry-after", String(seconds))) }
        return head
    }

    /// What every answer tells.
    private func head(status: Int, contentType: String, contentLength: Int?) -> AnswerHead {
        AnswerHead(
            status: status,
            contentType: contentType,
            contentLength: contentLength,
            requestID: self.requestID,
            milliseconds: (NIODeadline.now() - self.start).nanoseconds / 1_000_000,
            date: self.service.date.value
        )
    }

    private func begin(_ head: AnswerHead, _ bytes: ByteBuffer, isEnd: Bool) {
        var head = head
        if let admission { head.others += admission.headers }
        self.status = head.status
        self.contentLength = head.contentLength ?? 0
        self.writer.begin(head, bytes, isEnd: isEnd)
    }

    // MARK: End

    /// The last byte was written.
    private func endWritten() {
        self.writer.flush()
        self.end(status: self.status ?? 0)
    }

    private func end(status: Int) {
        if case .over = self.phase { return }
        if case .answer(let pass) = self.phase { pass.call?.cancel() }
        self.phase = .over
        self.keepAlive?.cancel()
        self.keepAlive = nil
        self.admission = nil
        self.service.accessLog.write(
            method: self.request.head.method,
            path: self.request.head.path,
            status: status,
            bytes: self.contentLength,
            duration: .nanoseconds((NIODeadline.now() - self.start).nanoseconds),
            requestID: self.requestID
        )
        self.onEnd()
    }
}
