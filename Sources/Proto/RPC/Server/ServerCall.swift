import FailPoints
import Logging
import NIOCore
import ProtoMessages
import Synchronization

/// One call on the server, from its accepted request frame to the end of its task.
final class ServerCall: Sendable {
    let streamID: UInt32
    private let request: RequestEnvelope
    private let deadline: NIODeadline?
    private let connection: ServerConnection
    private let task = CallTask()

    init(streamID: UInt32, request: RequestEnvelope, now: NIODeadline, connection: ServerConnection) {
        self.streamID = streamID
        self.request = request
        self.connection = connection
        self.deadline =
            request.timeoutNanoseconds > 0 ? now + min(.nanoseconds(request.timeoutNanoseconds), .longest) : nil
    }

    /// Cancels the handler's task. Its answer is dropped by the connection.
    func cancel() {
        self.task.cancel()
    }

    /// Runs the handler and hands the answer to the connection.
    func run(router: RPCRouter, maximumDataBytes: Int, logger: Logger) async {
        var data = ByteBuffer()
        await self.task.run {
            do {
                data = try await self.answer(router: router, maximumDataBytes: maximumDataBytes)
            } catch {
                let status = self.status(of: error, logger: logger)
                data = FrameEncoding.failure(status, maximumDataBytes: maximumDataBytes)
            }
        }
        FailPoint.reach("rpc.before_reply")
        self.connection.finish(ServerAnswer(streamID: self.streamID, data: data))
    }

    private func answer(router: RPCRouter, maximumDataBytes: Int) async throws -> ByteBuffer {
        let handler = try router.handler(service: self.request.service, method: self.request.method)
        let context = RPCContext(
            metadata: RPCMetadata(self.request.metadata),
            deadline: self.deadline,
            peer: self.connection.peer,
            localRequestID: "\(self.connection.number)-\(self.streamID)"
        )
        return try await handler(self.request.payload, context, maximumDataBytes)
    }

    private func status(of error: any Error, logger: Logger) -> RPCError {
        switch error {
        case let error as RPCError:
            return error
        case is CancellationError:
            return RPCError(code: .cancelled, message: "the call was cancelled")
        default:
            logger.error(
                "a call failed",
                metadata: [
                    "service": "\(self.request.service)", "method": "\(self.request.method)",
                    "stream": "\(self.streamID)", "error": "\(error)",
                ]
            )
            return RPCError(code: .internal, message: "internal error; the server's log tells more")
        }
    }
}

/// What a call's task hands back to its connection.
struct ServerAnswer: Sendable {
    var streamID: UInt32
    var data: ByteBuffer
}

/// Lets a connection cancel one child task of its group; a group gives no handle to do so.
private final class CallTask: Sendable {
    /// The mutex of `state` is the guard: the reference is set by the task itself and taken away before it ends, so
    /// `cancel`, which may be called from any thread, never meets a task that is gone.
    private struct Reference: @unchecked Sendable {
        let task: UnsafeCurrentTask
    }

    private enum State {
        case waiting
        case running(Reference)
        case cancelled
        case ended
    }

    private let state = Mutex(State.waiting)

    /// Runs `body` unless the call was cancelled before.
    func run(_ body: () async -> Void) async {
        await withUnsafeCurrentTask { task in
            guard let task, self.begin(Reference(task: task)) else { return }
            await body()
            self.state.withLock { $0 = .ended }
        }
    }

    func cancel() {
        self.state.withLock { state in
            if case .running(let reference) = state {
                reference.task.cancel()
            }
            if case .ended = state { return }
            state = .cancelled
        }
    }

    private func begin(_ reference: Reference) -> Bool {
        self.state.withLock { state in
            guard case .waiting = state else { return false }
            state = .running(reference)
            return true
        }
    }
}
