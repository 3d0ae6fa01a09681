import Logging
import NIOCore
import ServiceLifecycle

/// Keeps one connection to one server on one lane.
struct ClientLink: Sendable {
    let index: Int
    let links: ClientLinks
    let connector: ClientConnector

    /// Connects, and connects again, until graceful shutdown or cancellation.
    func run() async {
        await withDiscardingTaskGroup { group in
            await withGracefulShutdownHandler {
                await self.keepConnected { connection in
                    group.addTask { await self.untilClosed(connection) }
                    if self.connector.configuration.usesSession { connection.greet() }
                }
            } onGracefulShutdown: {
                self.stop()
            }
            self.stop()
        }
    }

    private func stop() {
        let connection = self.links.update(self.index) { $0.stop() }
        connection?.retire(timeout: self.drainTimeout)
    }

    private func keepConnected(_ connected: (ClientConnection) -> Void) async {
        while true {
            var next: ClientLinkStateMachine<ClientConnection>.NextStep
            do {
                let connection = try await cancelWhenGracefulShutdown { try await self.connector.connect() }
                connected(connection)
                next = await self.use(connection)
            } catch {
                let reason = ClientConnector.describe(error)
                next = self.links.update(self.index) { $0.attemptFailed(reason) }
                self.log(next, reason: reason)
            }
            switch next {
            case .connectNow:
                break
            case .connectAfter(let delay):
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
            case .stop:
                return
            }
            if Task.isCancelled || Task.isShuttingDownGracefully { return }
            self.links.update(self.index) { $0.attemptBegins() }
        }
    }

    /// Offers a connection to calls until it takes no more.
    private func use(_ connection: ClientConnection) async -> ClientLinkStateMachine<ClientConnection>.NextStep {
        guard self.links.update(self.index, { $0.attemptSucceeded(connection) }) else {
            connection.retire(timeout: .zero)
            return .stop
        }
        self.connector.logger.info("connected")
        // Never fails; when the task is cancelled, the connection's own task closes it.
        try? await connection.takesNoMoreCalls.get()
        connection.retire(timeout: self.drainTimeout)
        let next = self.links.update(self.index) { $0.connectionEnded(wasUseful: connection.wasUseful) }
        self.log(next, reason: "the connection ended")
        return next
    }

    /// The task of one connection: ends with it, and closes it when cancelled.
    private func untilClosed(_ connection: ClientConnection) async {
        await withTaskCancellationHandler {
            try? await connection.channel.closeFuture.get()
        } onCancel: {
            connection.channel.close(promise: nil)
        }
    }

    private var drainTimeout: TimeAmount {
        TimeAmount(clamping: self.connector.configuration.drainTimeout)
    }

    private func log(_ next: ClientLinkStateMachine<ClientConnection>.NextStep, reason: String) {
        switch next {
        case .connectNow:
            self.connector.logger.info("connecting again", metadata: ["reason": "\(reason)"])
        case .connectAfter(let delay):
            self.connector.logger.info(
                "not connected",
                metadata: ["reason": "\(reason)", "next_attempt_in": "\(delay)"]
            )
        case .stop:
            break
        }
    }
}
