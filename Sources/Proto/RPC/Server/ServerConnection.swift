import Logging
import NIOCore

/// One client's connection: joins the channel handler on the event loop with the tasks that run the calls.
final class ServerConnection: Sendable {
    let channel: any Channel
    /// Tells connections apart in logs and request ids.
    let number: UInt64
    /// Who makes the calls.
    let client: RPCClientFacts

    /// Calls that begin, by where their tasks run.
    private let calls = CallQueue()
    private let callsOnLoop = CallQueue()
    /// nil when no method's tasks run on the event loop.
    private let tasksOnLoop: ConnectionTaskExecutor?
    private let answers = Mailbox<ServerAnswer>()
    private let handler: NIOLoopBound<ServerConnectionHandler>
    let drainNotice = DrainNotice()
    /// Room for messages of streams on their way out.
    let outbound: OutboundBudget

    /// Adds the protocol to a new channel; called on its event loop.
    static func make(
        on channel: any Channel,
        number: UInt64,
        caller: RPCCaller = .local,
        configuration: RPCServerConfiguration,
        router: RPCRouter,
        logger: Logger
    ) throws -> ServerConnection {
        let handler = ServerConnectionHandler(configuration: configuration, router: router, logger: logger)
        let connection = ServerConnection(
            channel: channel,
            number: number,
            caller: caller,
            handler: handler,
            hasTasksOnLoop: router.hasTasksOnEventLoops,
            outbound: OutboundBudget(limit: configuration.limits.maximumQueuedStreamBytes)
        )
        handler.connection = connection
        try channel.pipeline.syncOperations.addHandler(handler)
        return connection
    }

    private init(
        channel: any Channel,
        number: UInt64,
        caller: RPCCaller,
        handler: ServerConnectionHandler,
        hasTasksOnLoop: Bool,
        outbound: OutboundBudget
    ) {
        self.tasksOnLoop = hasTasksOnLoop ? ConnectionTaskExecutor(channel.eventLoop) : nil
        self.channel = channel
        self.number = number
        self.client = RPCClientFacts(
            caller: caller,
            address: channel.remoteAddress,
            callNames: .numbered(connection: number)
        )
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        self.outbound = outbound
    }

    /// For how long calls that came together are begun one after the other.
    private static let longestTurn = TimeAmount.microseconds(100)

    /// Runs the calls that come in, each in a child task, until the connection is gone; then cancels what still runs.
    func serve(maximumDataBytes: Int, logger: Logger) async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                if let tasksOnLoop = self.tasksOnLoop {
                    group.addTask(executorPreference: tasksOnLoop) {
                        await self.run(self.callsOnLoop, maximumDataBytes: maximumDataBytes, logger: logger)
                    }
                }
                await self.run(self.calls, maximumDataBytes: maximumDataBytes, logger: logger)
            }
        } onCancel: {
            self.channel.close(promise: nil)
        }
    }

    private func run(_ calls: CallQueue, maximumDataBytes: Int, logger: Logger) async {
        await withDiscardingTaskGroup { group in
            for await batch in calls.batches {
                let begin = NIODeadline.now()
                for call in batch {
                    // Up to its first suspension a call runs right here, as many of them to their end: handing each
                    // to another thread costs more than it does. Behind one that takes long the others do not wait.
                    if NIODeadline.now() - begin < Self.longestTurn {
                        group.addImmediateTask {
                            await call.run(maximumDataBytes: maximumDataBytes, logger: logger)
                        }
                    } else {
                        group.addTask {
                            await call.run(maximumDataBytes: maximumDataBytes, logger: logger)
                        }
                    }
                }
            }
            group.cancelAll()
        }
    }

    /// Refuses new calls, lets the running ones end for at most `timeout`, then closes.
    func drain(timeout: TimeAmount) {
        self.channel.eventLoop.execute {
            self.handler.value.drain(timeout: timeout)
        }
    }

    /// Takes what a call's task gives. After the end of a connection it is dropped.
    func post(_ answer: ServerAnswer) {
        guard case .wake = self.answers.post(answer) else { return }
        self.channel.eventLoop.execute {
            self.handler.value.sendAnswers()
        }
    }

    /// There is room for the message that a stream keeps. A socket that takes all at once gives room in the turn that has
    /// used it up.
    func goOn(_ waker: RPCStreamWaker) {
        if self.channel.eventLoop.inEventLoop { self.handler.value.goOnLater(waker) } else { waker.wake() }
    }

    /// A stream has room for a frame that was held back.
    func resumeReading() {
        self.channel.eventLoop.execute {
            self.handler.value.resumeReading()
        }
    }

    // MARK: - For the channel handler

    func begin(_ calls: [ServerCall], on place: RPCTaskPlace) {
        switch place {
        case .threads: self.calls.sink.yield(calls)
        case .eventLoop: self.callsOnLoop.sink.yield(calls)
        }
    }

    func takeAnswers(into batch: inout [ServerAnswer]) {
        self.answers.take(into: &batch)
    }

    func closed() {
        self.tasksOnLoop?.leave()
        self.calls.sink.finish()
        self.callsOnLoop.sink.finish()
        for case .messages(let stream) in self.answers.close().map(\.kind) { _ = stream.takeMessages() }
        self.outbound.close()
    }
}

/// Calls on their way from the event loop to the task that begins theirs.
private struct CallQueue: Sendable {
    let batches: AsyncStream<[ServerCall]>
    let sink: AsyncStream<[ServerCall]>.Continuation

    init() {
        (self.batches, self.sink) = AsyncStream.makeStream()
    }
}
