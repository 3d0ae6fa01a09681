import Logging
import NIOCore

/// One client's connection: joins the channel handler on the event loop with the tasks that run the calls.
final class ServerConnection: Sendable {
    let channel: any Channel
    /// Tells connections apart in logs and request ids.
    let number: UInt64
    let peer: SocketAddress?

    private let calls: AsyncStream<[ServerCall]>
    private let callsSink: AsyncStream<[ServerCall]>.Continuation
    private let answers = Mailbox<ServerAnswer>()
    private let handler: NIOLoopBound<ServerConnectionHandler>

    /// Adds the protocol to a new channel; called on its event loop.
    static func make(
        on channel: any Channel,
        number: UInt64,
        configuration: RPCServerConfiguration,
        logger: Logger
    ) throws -> ServerConnection {
        let handler = ServerConnectionHandler(configuration: configuration, logger: logger)
        let connection = ServerConnection(channel: channel, number: number, handler: handler)
        handler.connection = connection
        try channel.pipeline.syncOperations.addHandler(handler)
        return connection
    }

    private init(channel: any Channel, number: UInt64, handler: ServerConnectionHandler) {
        self.channel = channel
        self.number = number
        self.peer = channel.remoteAddress
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        (self.calls, self.callsSink) = AsyncStream.makeStream()
    }

    /// Runs the calls that come in, each in a child task, until the connection is gone; then cancels what still runs.
    func serve(router: RPCRouter, maximumDataBytes: Int, logger: Logger) async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for await batch in self.calls {
                    for call in batch {
                        group.addTask {
                            await call.run(router: router, maximumDataBytes: maximumDataBytes, logger: logger)
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

    /// Takes the answer of a call whose task is about to end.
    func finish(_ answer: ServerAnswer) {
        guard case .wake = self.answers.post(answer) else { return }
        self.channel.eventLoop.execute {
            self.handler.value.sendAnswers()
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
    }
}
