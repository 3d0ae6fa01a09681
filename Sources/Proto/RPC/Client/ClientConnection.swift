import Logging
import NIOCore
import Synchronization

/// One connection to a server: joins callers in any task with the channel handler on the event loop.
final class ClientConnection: Sendable {
    /// What callers hand to the event loop.
    enum Submission: Sendable {
        /// A call and its request envelope.
        case start(ClientCall, ByteBuffer)
        /// The caller does not wait any more.
        case forget(ClientCall)
    }

    let endpoint: RPCClient.Endpoint
    let channel: any Channel

    private let maximumCallsInFlight: Int
    private let submissions = Mailbox<Submission>()
    private let callsInFlight = Atomic(0)
    private let answered = Atomic(false)
    private let ended = Atomic(false)
    private let handler: NIOLoopBound<ClientConnectionHandler>
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
            maximumCallsInFlight: configuration.maximumCallsInFlight
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
        maximumCallsInFlight: Int
    ) {
        self.channel = channel
        self.endpoint = endpoint
        self.maximumCallsInFlight = maximumCallsInFlight
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

    /// Sends a call and waits for its answer. Cancelling the caller's task ends the wait at once.
    func perform(_ request: ByteBuffer, deadline: NIODeadline) async -> ClientCall.Outcome {
        let inFlight = self.callsInFlight.add(1, ordering: .relaxed).newValue
        defer { self.callsInFlight.subtract(1, ordering: .relaxed) }
        guard inFlight <= self.maximumCallsInFlight else {
            let message = "\(self.maximumCallsInFlight) calls are in flight to \(self.endpoint); try again later"
            return .failure(RPCError(code: .resourceExhausted, message: message, notSent: true))
        }
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

    /// Closes once no call is in flight, at the latest after `timeout`.
    func retire(timeout: TimeAmount) {
        self.channel.eventLoop.execute {
            self.handler.value.retire(timeout: timeout)
        }
    }

    private func submit(_ submission: Submission) -> Bool {
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
        for case .start(let call, _) in self.submissions.close() {
            call.fail(.unavailable, "the connection to \(self.endpoint) was lost")
        }
    }
}
