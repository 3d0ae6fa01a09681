import Logging
import NIOCore
import ProtoFraming
import ProtoMessages
import Synchronization

/// One connection to a server: joins callers in any task with the channel handler on the event loop.
final class ClientConnection: Sendable {
    /// What callers hand to the event loop.
    enum Submission: Sendable {
        /// A call and its request envelope.
        case start(ClientCall, ByteBuffer)
        /// A call that is answered by a callback.
        case startCallback(ClientCallback, ByteBuffer)
        /// The caller does not wait any more.
        case forget(ClientCall)
        /// A stream and its request envelope.
        case open(ClientStream, ByteBuffer)
        /// A message of a stream from before its id was known.
        case message(ClientStream, ByteBuffer)
        /// A stream has messages to be taken.
        case messages(ClientStream)
        /// No more messages follow on a stream.
        case halfClose(ClientStream)
        /// Its caller has left a stream.
        case leave(ClientStream)
        /// A stream whose owner is told what comes.
        case begin(any ClientEventStream)
        /// Such a stream may have something to send.
        case goOn(any ClientEventStream)
        /// Nobody wants its messages any more.
        case leaveEvents(any ClientStreamHandle)
    }

    let endpoint: RPCClient.Endpoint
    let channel: any Channel
    let eventLoop: any EventLoop

    private let maximumCallsInFlight: Int
    private let submissions = Mailbox<Submission>()
    private let callsInFlight = Atomic(0)
    /// Uptime in nanoseconds.
    private let suspectUntil = Atomic(UInt64(0))
    private let answered = Atomic(false)
    private let ended = Atomic(false)
    private let hasSession = Atomic(false)
    private let handler: NIOLoopBound<ClientConnectionHandler>
    /// Room for messages of streams on their way out.
    let outbound: OutboundBudget
    let maximumDataBytes: Int
    private let noMoreCalls: EventLoopPromise<Void>

    /// Adds the protocol to a new channel; called on its event loop.
    static func make(
        on channel: any Channel,
        endpoint: RPCClient.Endpoint,
        configuration: RPCClientConfiguration,
        logger: Logger
    ) throws -> ClientConnection {
        let handler = ClientConnectionHandler(configuration: configuration, logger: logger)
        let connection = ClientConnection(
            channel: channel,
            endpoint: endpoint,
            handler: handler,
            configuration: configuration
        )
        handler.connection = connection
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            connection.closed()
            throw error
        }
        return connection
    }

    private init(
        channel: any Channel,
        endpoint: RPCClient.Endpoint,
        handler: ClientConnectionHandler,
        configuration: RPCClientConfiguration
    ) {
        self.channel = channel
        self.eventLoop = channel.eventLoop
        self.endpoint = endpoint
        self.maximumCallsInFlight = configuration.maximumCallsInFlight
        self.maximumDataBytes = configuration.frame.maximumDataBytes
        self.outbound = OutboundBudget(limit: configuration.maximumQueuedStreamBytes)
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        self.noMoreCalls = channel.eventLoop.makePromise()
    }

    /// What the next call has to expect here.
    func prospects(wasTried: Bool, isElsewhere: Bool, now: @autoclosure () -> NIODeadline) -> ServerProspects {
        let suspectUntil = self.suspectUntil.load(ordering: .relaxed)
        return ServerProspects(
            wasTried: wasTried,
            isSuspect: suspectUntil > 0 && suspectUntil > now().uptimeNanoseconds,
            isElsewhere: isElsewhere,
            load: self.callsInFlight.load(ordering: .relaxed)
        )
    }

    /// The server answered UNAVAILABLE.
    func refused() {
        let end = NIODeadline.now() + ServerProspects.suspicion
        self.suspectUntil.store(end.uptimeNanoseconds, ordering: .relaxed)
    }

    /// Whether a call was ever answered: a connection that did not get that far is a failed attempt.
    var wasUseful: Bool {
        self.answered.load(ordering: .relaxed)
    }

    /// Whether new calls have to go elsewhere.
    var hasEnded: Bool {
        self.ended.load(ordering: .acquiring)
    }

    /// Done when new calls have to go elsewhere, because the connection is gone or its stream ids run out.
    var takesNoMoreCalls: EventLoopFuture<Void> {
        self.noMoreCalls.futureResult
    }

    /// Takes a place among the calls in flight; each success has to be followed by `leave`.
    func enter() -> RPCError? {
        let inFlight = self.callsInFlight.add(1, ordering: .relaxed).newValue
        guard inFlight > self.maximumCallsInFlight else { return nil }
        self.callsInFlight.subtract(1, ordering: .relaxed)
        let message = "\(self.maximumCallsInFlight) calls are in flight to \(self.endpoint); try again later"
        return RPCError(code: .resourceExhausted, message: message, notSent: true)
    }

    func leave() {
        self.callsInFlight.subtract(1, ordering: .relaxed)
    }

    /// Sends a call and waits for its answer. Cancelling the caller's task ends the wait at once.
    func perform(_ request: ByteBuffer, deadline: NIODeadline) async -> ClientCall.Outcome {
        if let error = self.enter() { return .failure(error) }
        defer { self.leave() }
        let call = ClientCall(deadline: deadline)
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { waiter in
                guard call.wait(waiter) else { return }
                if !self.submit(.start(call, request)) {
                    call.fail(.unavailable, "the connection to \(self.endpoint) is closed")
                }
            }
        } onCancel: {
            call.fail(.cancelled, "the caller cancelled the call")
            _ = self.submit(.forget(call))
        }
    }

    /// Sends a call. `completion` is called once: on the connection's event loop, or here if the call is refused at once.
    func perform(
        _ method: RPCMethodCall,
        _ request: some ProtoMessage,
        _ options: CallOptions,
        completion: @escaping @Sendable (ClientCall.Outcome) -> Void
    ) {
        if let error = self.enter() { return completion(.failure(error)) }
        let handler = self.eventLoop.inEventLoop ? self.handler.value : nil
        let now = handler?.readAt ?? .now()
        let deadline = now + options.timeLimit
        let callback = ClientCallback(connection: self, deadline: deadline, completion: completion)
        let head = FrameEncoding.Head(method, deadline: deadline, now: now, options)
        do throws(RPCError) {
            if let handler {
                try handler.start(callback, head, request, now: now)
            } else {
                let data = try FrameEncoding.request(head, request, maximumDataBytes: self.maximumDataBytes)
                guard self.submit(.startCallback(callback, data)) else { throw self.isClosedError }
            }
        } catch {
            var error = error
            error.notSent = true
            callback.finish(.failure(error))
        }
    }

    /// What a call meets that comes too late.
    var isClosedError: RPCError {
        RPCError(code: .unavailable, message: "the connection to \(self.endpoint) is closed", notSent: true)
    }

    /// Opens a stream. Each success has to be followed by `close`.
    ///
    /// - Throws: an error that says `notSent` when the connection takes no more calls.
    func open(_ kind: StreamKind, _ request: ByteBuffer, deadline: NIODeadline) throws(RPCError) -> ClientStream {
        if let error = self.enter() { throw error }
        let stream = ClientStream(kind: kind, deadline: deadline, connection: self)
        guard self.submit(.open(stream, request)) else {
            self.leave()
            throw self.isClosedError
        }
        return stream
    }

    /// The caller is done with a stream; one that the server has not ended is cancelled.
    func close(_ stream: ClientStream) {
        if !stream.state.withMachine({ $0.isOver }) { self.submit(.leave(stream)) }
        self.leave()
    }

    /// Opens a stream whose owner is told what comes; false: the connection is gone. `enter` has to come before.
    func begin(_ stream: any ClientEventStream) -> Bool {
        guard self.eventLoop.inEventLoop else { return self.submit(.begin(stream)) }
        self.handler.value.begin(stream)
        return true
    }

    /// Such a stream may have something to send.
    func goOn(_ stream: any ClientEventStream) {
        if self.eventLoop.inEventLoop { self.handler.value.send(stream) } else { self.submit(.goOn(stream)) }
    }

    /// Nobody wants its messages any more.
    func leave(_ stream: any ClientStreamHandle) {
        if self.eventLoop.inEventLoop {
            self.handler.value.leave(stream)
        } else {
            self.submit(.leaveEvents(stream))
        }
    }

    /// A stream has room for a frame that was held back.
    func resumeReading() {
        self.eventLoop.execute {
            self.handler.value.resumeReading()
        }
    }

    /// Closes once no call is in flight, at the latest after `timeout`.
    func retire(timeout: TimeAmount) {
        self.eventLoop.execute {
            self.handler.value.retire(timeout: timeout)
        }
    }

    /// Hands something to the event loop. Gives false when the connection is gone.
    @discardableResult func submit(_ submission: Submission) -> Bool {
        switch self.submissions.post(submission) {
        case .wake:
            self.eventLoop.execute {
                self.handler.value.sendSubmissions()
            }
            return true
        case .queued:
            return true
        case .closed:
            return false
        }
    }

    /// Asks the server whether it has the Session service (G6-01), without waiting for its answer.
    func greet() {
        self.eventLoop.execute {
            self.handler.value.greet()
        }
    }

    /// Whether the server has said Hello.
    var speaksSession: Bool {
        self.hasSession.load(ordering: .relaxed)
    }

    // MARK: - For the channel handler

    func takeSubmissions(into batch: inout [Submission]) {
        self.submissions.take(into: &batch)
    }

    func learnedSession() {
        self.hasSession.store(true, ordering: .relaxed)
    }

    func gotAnswer() {
        self.answered.store(true, ordering: .relaxed)
    }

    /// New calls have to go elsewhere; those in flight go on.
    func end() {
        if !self.ended.exchange(true, ordering: .acquiringAndReleasing) {
            self.noMoreCalls.succeed()
        }
    }

    func closed() {
        self.end()
        let message = "the connection to \(self.endpoint) was lost"
        for submission in self.submissions.close() {
            switch submission {
            case .start(let call, _): call.fail(.unavailable, message)
            case .startCallback(let callback, _):
                callback.finish(.failure(RPCError(code: .unavailable, message: message, notSent: true)))
            case .open(let stream, _):
                stream.fail(RPCError(code: .unavailable, message: message, notSent: true), atOnce: true)
            case .begin(let stream):
                stream.failed(RPCError(code: .unavailable, message: message, notSent: true))
            case .messages(let stream):
                // So that who sends the next one looks after the stream.
                _ = stream.takeMessages()
            case .forget, .message, .halfClose, .leave, .goOn, .leaveEvents: break
            }
        }
        self.outbound.close()
    }
}
