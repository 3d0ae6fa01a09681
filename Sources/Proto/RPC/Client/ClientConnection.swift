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
        /// The caller does not wait any more.
        case forget(ClientCall)
        /// A stream and its request envelope.
        case open(ClientStream, ByteBuffer)
        /// A message of a stream.
        case message(ClientStream, ByteBuffer)
        /// No more messages follow on a stream.
        case halfClose(ClientStream)
        /// Its caller has left a stream.
        case leave(ClientStream)
    }

    let endpoint: RPCClient.Endpoint
    let channel: any Channel

    private let maximumCallsInFlight: Int
    private let submissions = Mailbox<Submission>()
    private let callsInFlight = Atomic(0)
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
        self.endpoint = endpoint
        self.maximumCallsInFlight = configuration.maximumCallsInFlight
        self.maximumDataBytes = configuration.frame.maximumDataBytes
        self.outbound = OutboundBudget(limit: configuration.maximumQueuedStreamBytes)
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        self.noMoreCalls = channel.eventLoop.makePromise()
    }

    /// Calls in flight, to choose the connection with the fewest.
    var load: Int {
        self.callsInFlight.load(ordering: .relaxed)
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
    private func enter() -> RPCError? {
        let inFlight = self.callsInFlight.add(1, ordering: .relaxed).newValue
        guard inFlight > self.maximumCallsInFlight else { return nil }
        self.callsInFlight.subtract(1, ordering: .relaxed)
        let message = "\(self.maximumCallsInFlight) calls are in flight to \(self.endpoint); try again later"
        return RPCError(code: .resourceExhausted, message: message, notSent: true)
    }

    private func leave() {
        self.callsInFlight.subtract(1, ordering: .relaxed)
    }

    /// Sends a call and waits for its answer. Cancelling the caller's task ends the wait at once.
    func perform(_ request: ByteBuffer, deadline: NIODeadline) async -> ClientCall.Outcome {
        if let error = self.enter() { return .failure(error) }
        defer { self.leave() }
        let call = ClientCall(deadline: deadline)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
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

    /// Opens a stream. Each success has to be followed by `close`.
    ///
    /// - Throws: an error that says `notSent` when the connection takes no more calls.
    func open(_ kind: StreamKind, _ request: ByteBuffer, deadline: NIODeadline) throws(RPCError) -> ClientStream {
        if let error = self.enter() { throw error }
        let stream = ClientStream(kind: kind, deadline: deadline, connection: self)
        guard self.submit(.open(stream, request)) else {
            self.leave()
            let message = "the connection to \(self.endpoint) is closed"
            throw RPCError(code: .unavailable, message: message, notSent: true)
        }
        return stream
    }

    /// The caller is done with a stream; one that the server has not ended is cancelled.
    func close(_ stream: ClientStream) {
        if !stream.state.withMachine({ $0.isOver }) { self.submit(.leave(stream)) }
        self.leave()
    }

    /// A stream has room for a frame that was held back.
    func resumeReading() {
        self.channel.eventLoop.execute {
            self.handler.value.resumeReading()
        }
    }

    /// Closes once no call is in flight, at the latest after `timeout`.
    func retire(timeout: TimeAmount) {
        self.channel.eventLoop.execute {
            self.handler.value.retire(timeout: timeout)
        }
    }

    /// Hands something to the event loop. Gives false when the connection is gone.
    @discardableResult func submit(_ submission: Submission) -> Bool {
        switch self.submissions.post(submission) {
        case .wake:
            self.channel.eventLoop.execute {
                self.handler.value.sendSubmissions()
            }
            return true
        case .queued:
            return true
        case .closed:
            return false
        }
    }

    /// Asks the server whether it has the Session service (G6-01). A server that has not, answers UNIMPLEMENTED or
    /// INVALID_ARGUMENT (G5-13) or not at all: then the connection goes on without.
    func greet(_ configuration: RPCClientConfiguration) async {
        let deadline = NIODeadline.now() + Self.greetingTime
        let limits = SessionMethods.limits(configuration.frame, maximumStreams: configuration.maximumCallsInFlight)
        let head = FrameEncoding.Head(
            service: SessionService.name,
            method: SessionService.hello.name,
            timeoutNanoseconds: Self.greetingTime.nanoseconds
        )
        guard
            let data = try? FrameEncoding.request(
                head,
                HelloRequest(client: limits),
                maximumDataBytes: self.maximumDataBytes
            ),
            case .success(let payload) = await self.perform(data, deadline: deadline),
            let answer = try? HelloResponse(serialized: payload), (answer.server?.version ?? 0) >= 1
        else { return }
        self.hasSession.store(true, ordering: .relaxed)
        await self.watch()
    }

    /// Waits for the notice that the connection takes no more calls, so that they go elsewhere before they are refused
    /// (G6-05).
    private func watch() async {
        let head = FrameEncoding.Head(service: SessionService.name, method: SessionService.watch.name)
        let deadline = NIODeadline.now() + .longest
        let stream = ClientStream(kind: .serverStream, deadline: deadline, isBackground: true, connection: self)
        guard
            let data = try? FrameEncoding.request(head, WatchRequest(), maximumDataBytes: self.maximumDataBytes),
            self.submit(.open(stream, data))
        else { return }
        // A server without Watch ends the stream with an error, and one that is gone does as well.
        while let payload = try? await stream.next() {
            if let notice = try? WatchResponse(serialized: payload), notice.drain != nil { self.end() }
        }
        if !stream.state.withMachine({ $0.isOver }) { self.submit(.leave(stream)) }
    }

    private static let greetingTime = TimeAmount.seconds(10)

    /// Whether the server has said Hello.
    var speaksSession: Bool {
        self.hasSession.load(ordering: .relaxed)
    }

    // MARK: - For the channel handler

    func takeSubmissions(into batch: inout [Submission]) {
        self.submissions.take(into: &batch)
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
            case .open(let stream, _):
                stream.fail(RPCError(code: .unavailable, message: message, notSent: true), atOnce: true)
            case .forget, .message, .halfClose, .leave: break
            }
        }
        self.outbound.close()
    }
}
