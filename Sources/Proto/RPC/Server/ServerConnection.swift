import Logging
import NIOCore

/// One client's connection: joins the channel handler on the event loop with the tasks that run the calls.
final class ServerConnection: Sendable {
    let channel: any Channel
    /// Tells connections apart in logs and request ids.
    let number: UInt64
    let peer: SocketAddress?
    /// Who makes the calls.
    let caller: RPCCaller

    private let calls: AsyncStream<[ServerCall]>
    private let callsSink: AsyncStream<[ServerCall]>.Continuation
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
        outbound: OutboundBudget
    ) {
        self.channel = channel
        self.number = number
        self.caller = caller
        self.peer = channel.remoteAddress
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        self.outbound = outbound
        (self.calls, self.callsSink) = AsyncStream.makeStream()
    }

    /// For how long calls that came together are begun one after the other.
    private static let longestTurn = TimeAmount.microseconds(100)

    /// Runs the calls that come in, each in a child task, until the connection is gone; then cancels what still runs.
    func serve(maximumDataBytes: Int, logger: Logger) async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for await batch in self.calls {
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
        } onCancel: {
            self.channel.close(promise: nil)
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

    /// A stream has room for a frame that was held back.
    func resumeReading() {
        self.channel.eventLoop.execute {
            self.handler.value.resumeReading()
        }
    }

    // MARK: - For the channel handler

    func begin(_ calls: [ServerCall]) {
        self.callsSink.yield(calls)
    }

    func takeAnswers(into batch: inout [ServerAnswer]) {
        self.answers.take(into: &batch)
    }

    func closed() {
        self.callsSink.finish()
        _ = self.answers.close()
        self.outbound.close()
    }
}
