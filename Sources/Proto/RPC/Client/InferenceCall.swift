public import NIOCore
import ProtoFraming
public import ProtoMessages
import Synchronization

/// What has come of an engine's answer.
public enum InferenceArrival: Sendable, Equatable {
    /// Status and content type, whatever the status; first, once.
    case head(InferAnswerHead)
    /// A piece of the body, never empty: of a streamed answer, the events.
    case piece(ByteBuffer)
    /// The body has come as a whole. The call is over.
    case end
    /// Why no more will come. The call is over.
    case failed(RPCError)
}

/// One request to an engine without a task, for code that lives on event loops: `RPCClient.infer` begins it.
///
/// It is over with its end, its failure, its deadline or `cancel`, whichever comes first, and when nobody holds it any more.
/// The engine is held back while nothing is taken.
public final class InferenceCall: Sendable {
    private let attempts: InferenceAttempts

    init(_ attempts: InferenceAttempts) {
        self.attempts = attempts
    }

    /// Who lets go of a call does not want its answer.
    deinit {
        self.attempts.cancel()
    }

    /// What has come next; nil: nothing yet, and `onArrival` will be called. On any thread, by one consumer.
    public func take() -> InferenceArrival? {
        self.attempts.take()
    }

    /// Nobody wants the answer any more: the engine is told unless it has ended. Nothing is told after it.
    public func cancel() {
        self.attempts.cancel()
    }
}

/// What a call does, apart from who holds it: the connections refer to this.
final class InferenceAttempts: ClientEventStream {
    private struct State {
        var machine: InferenceCallStateMachine
        var attempts: CallAttemptsStateMachine
        /// Where the attempt under way is; nil between attempts.
        var connection: ClientConnection?
        /// Its stream; nil until it is written.
        var streamID: UInt32?
        /// nil once nobody is to be told any more.
        var onArrival: (@Sendable () -> Void)?
        var isOver = false
        /// Until when a first connection is waited for.
        var waitUntil: NIODeadline?
    }

    let deadline: NIODeadline
    private let client: RPCClient
    private let options: CallOptions
    private let eventLoop: any EventLoop
    private let state: Mutex<State>

    init(
        _ client: RPCClient,
        machine: InferenceCallStateMachine,
        options: CallOptions,
        eventLoop: any EventLoop,
        onArrival: @escaping @Sendable () -> Void
    ) {
        self.client = client
        self.options = options
        self.eventLoop = eventLoop
        self.deadline = .now() + options.timeLimit
        // Once it was accepted the call may have run, and then it is the caller's to make it again.
        let attempts = client.attempts(mayRunTwice: false)
        self.state = Mutex(State(machine: machine, attempts: attempts, onArrival: onArrival))
    }

    func take() -> InferenceArrival? {
        let (arrival, granting) = self.state.withLock { state -> (InferenceArrival?, ClientConnection?) in
            let arrival = state.machine.take()
            return (arrival, state.machine.hasGrant ? state.connection : nil)
        }
        granting?.goOn(self)
        return arrival
    }

    func cancel() {
        let left = self.state.withLock { state -> ClientConnection? in
            state.onArrival = nil
            guard !state.isOver else { return nil }
            state.isOver = true
            state.machine.fail(RPCError(code: .cancelled, message: "the caller left the call"))
            return Self.leave(&state)
        }
        left?.leave(self)
    }

    // MARK: - Attempts

    /// Sends the call, or waits for a connection.
    func attempt() {
        let now = NIODeadline.now()
        let choice = self.state.withLock { state -> ClientLinks.Choice? in
            guard !state.isOver else { return nil }
            return self.client.links.choose(
                lane: self.options.lane,
                endpoint: self.options.endpoint,
                besides: state.attempts.tried,
                near: self.eventLoop,
                now: now
            )
        }
        switch choice {
        case .connection(let connection): self.begin(on: connection)
        case .wait(let change): self.wait(since: change, now: now)
        case .fail(let error):
            self.follow { attempts in attempts.foundNone(error, remaining: self.remaining(now)) }
        case nil: break
        }
    }

    private func begin(on connection: ClientConnection) {
        if let error = connection.enter() { return self.end(error) }
        let isWanted = self.state.withLock { state in
            guard !state.isOver else { return false }
            state.attempts.begin(at: connection.endpoint)
            state.machine.begin()
            state.connection = connection
            state.streamID = nil
            return true
        }
        guard isWanted else { return connection.leave() }
        if !connection.begin(self) { self.failed(connection.isClosedError) }
    }

    private func wait(since change: UInt64, now: NIODeadline) {
        let limit = self.state.withLock { state in
            let limit = state.waitUntil ?? now + TimeAmount(clamping: self.client.configuration.connectionWait)
            state.waitUntil = limit
            return limit
        }
        if now >= self.deadline {
            return self.end(RPCError(code: .deadlineExceeded, message: "the deadline has passed", notSent: true))
        }
        if now >= limit {
            return self.end(RPCError(code: .unavailable, message: "still connecting; try again later", notSent: true))
        }
        self.client.links.onChange(since: change, within: min(limit, self.deadline) - now, on: self.eventLoop) {
            self.attempt()
        }
    }

    private func follow(_ decide: (inout CallAttemptsStateMachine) -> CallAttemptsStateMachine.Decision) {
        switch self.state.withLock({ decide(&$0.attempts) }) {
        case .giveUp(let error): self.end(error)
        case .again(after: .zero): self.attempt()
        case .again(after: let pause):
            self.eventLoop.scheduleTask(in: TimeAmount(clamping: pause)) { self.attempt() }
        }
    }

    private func remaining(_ now: NIODeadline) -> Duration {
        .nanoseconds((self.deadline - now).nanoseconds)
    }

    /// The call has failed for good, without an attempt under way.
    private func end(_ error: RPCError) {
        self.tell { state in
            state.isOver = true
            state.machine.fail(error)
        }
    }

    // MARK: - For the channel handler

    func appendRequest(
        streamID: UInt32,
        now: NIODeadline,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer
    ) throws(RPCError) {
        let head = FrameEncoding.Head(
            names: InferenceService.infer.encodedNames,
            timeoutNanoseconds: max(1, (self.deadline - now).nanoseconds),
            metadata: self.options.encodedMetadata
        )
        try FrameEncoding.append(
            head,
            behind: .init(streamID: streamID, type: .request, flags: StreamKind.bidirectional.openingFlags),
            maximumDataBytes: maximumDataBytes,
            to: &buffer
        )
    }

    func began(streamID: UInt32) -> Bool {
        self.state.withLock { state in
            guard !state.isOver, state.connection != nil else { return false }
            state.streamID = streamID
            return true
        }
    }

    var streamID: UInt32? { self.state.withLock { $0.streamID } }

    func appendNext(
        on connection: ClientConnection,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer
    ) throws(RPCError) -> Bool {
        let next = self.state.withLock { state -> (streamID: UInt32, message: InferRequest)? in
            guard state.connection === connection, let streamID = state.streamID, let message = state.machine.next()
            else { return nil }
            return (streamID, message)
        }
        guard let next else { return false }
        return try FrameEncoding.append(
            next.message,
            behind: .init(streamID: next.streamID, type: .data),
            maximumDataBytes: maximumDataBytes,
            to: &buffer
        )
    }

    func received(_ data: ByteBuffer) throws(RPCError) -> ClientStreamConsequences {
        let message: InferResponse = try RPCClient.decode(data)
        return try self.state.withLock { state throws(RPCError) in
            guard !state.isOver else { return ClientStreamConsequences() }
            let isCredit = try state.machine.received(message)
            return ClientStreamConsequences(send: isCredit, tell: state.machine.shouldTell())
        }
    }

    func ended() -> Bool {
        self.finish { state in
            do throws(RPCError) {
                try state.machine.ended()
            } catch {
                state.machine.fail(error)
            }
        }
    }

    /// The call goes on elsewhere if it was not run, or is over.
    func failed(_ error: RPCError) {
        let connection = self.state.withLock { $0.connection }
        guard let connection else { return }
        // Whoever has named the server chooses the next one as well.
        let mayGoOn =
            self.options.endpoint == nil
            && self.state.withLock { !$0.isOver && error.notSent && !$0.machine.isAnswered }
        guard mayGoOn else {
            if self.finish({ $0.machine.fail(error) }) { self.tellArrival() }
            return
        }
        _ = self.state.withLock { Self.leave(&$0) }
        if error.code == .unavailable { connection.refused() }
        let links = self.client.links
        self.follow { attempts in
            let goesElsewhere =
                connection.hasEnded
                || links.hasConnection(
                    lane: self.options.lane,
                    endpoint: self.options.endpoint,
                    besides: attempts.tried
                )
            return attempts.failed(error, goesElsewhere: goesElsewhere, remaining: self.remaining(.now()))
        }
    }

    func tellArrival() {
        self.state.withLock { $0.onArrival }?()
    }

    /// The call is over on its connection. True: tell of it.
    private func finish(_ change: (inout State) -> Void) -> Bool {
        self.state.withLock { state in
            guard !state.isOver else { return false }
            state.isOver = true
            change(&state)
            _ = Self.leave(&state)
            return state.machine.shouldTell()
        }
    }

    private func tell(_ change: (inout State) -> Void) {
        let isToBeTold = self.state.withLock { state in
            guard !state.isOver else { return false }
            change(&state)
            return state.machine.shouldTell()
        }
        if isToBeTold { self.tellArrival() }
    }

    /// Gives the place among the calls in flight back, once an attempt.
    private static func leave(_ state: inout State) -> ClientConnection? {
        defer { state.connection = nil }
        state.connection?.leave()
        return state.connection
    }
}

extension RPCClient {
    /// Asks an engine without a task: for code that lives on event loops, at a fraction of what `withInference` costs.
    ///
    /// A call that a server has not accepted is made on another one, as `RetryPolicy` has it, unless the options name the
    /// server.
    ///
    /// - Parameters:
    ///   - head: what is asked of which model; its `contentBytes` are set to the body's size.
    ///   - body: the request's JSON, 1 byte to 64 MiB. It is held until the answer has begun.
    ///   - options: how it is called; the timeout is for the whole of it.
    ///   - eventLoop: where the caller lives: a connection on it is preferred, and waiting is done there.
    ///   - onArrival: called when there is something to `take` after nothing was, on the event loop of the connection or on
    ///     `eventLoop`, also before this returns. It must not block.
    public func infer(
        _ head: InferHead,
        body: ByteBuffer,
        options: CallOptions = CallOptions(),
        on eventLoop: any EventLoop,
        onArrival: @escaping @Sendable () -> Void
    ) -> InferenceCall {
        let attempts = InferenceAttempts(
            self,
            machine: InferenceCallStateMachine(head: head, body: body),
            options: options,
            eventLoop: eventLoop,
            onArrival: onArrival
        )
        attempts.attempt()
        return InferenceCall(attempts)
    }
}
