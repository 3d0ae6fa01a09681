import FailPoints
import Logging
import NIOCore
import ProtoMessages
import Synchronization

/// One call on the server, from its accepted request frame to the end of its task.
final class ServerCall: Sendable {
    let streamID: UInt32
    /// Its stream, unless it is a unary call.
    let stream: ServerStream?
    let entry: RPCRouter.Entry
    private let request: RequestEnvelope
    private let deadline: NIODeadline?
    private let connection: ServerConnection
    private let task = CallTask()

    init(
        streamID: UInt32,
        request: RequestEnvelope,
        entry: RPCRouter.Entry,
        stream: ServerStream?,
        now: NIODeadline,
        connection: ServerConnection
    ) {
        self.streamID = streamID
        self.stream = stream
        self.entry = entry
        self.request = request
        self.connection = connection
        self.deadline =
            request.timeoutNanoseconds > 0 ? now + min(.nanoseconds(request.timeoutNanoseconds), .longest) : nil
    }

    /// Cancels the handler's task. Its answer is dropped by the connection.
    func cancel() {
        self.task.cancel()
    }

    /// Cancels the handler's task and lets it see why, if it consumes messages.
    func end(_ error: RPCError) {
        self.stream?.state.withMachine { $0.end(error) }
        self.task.cancel()
    }

    /// Runs the handler and hands the answer to the connection.
    func run(maximumDataBytes: Int, logger: Logger) async {
        var data: ByteBuffer?
        var hasFailed = false
        await self.task.run {
            do {
                data = try await self.answer(maximumDataBytes: maximumDataBytes)
            } catch {
                hasFailed = true
                let status = self.status(of: error, logger: logger)
                data = FrameEncoding.failure(status, maximumDataBytes: maximumDataBytes)
            }
        }
        FailPoint.reach("rpc.before_reply")
        let kind: ServerAnswer.Kind = self.stream.map { .end($0, failed: hasFailed) } ?? .unary
        self.connection.post(ServerAnswer(streamID: self.streamID, data: data ?? ByteBuffer(), kind: kind))
    }

    /// The response frame's data, or nil where messages were the answer.
    private func answer(maximumDataBytes: Int) async throws -> ByteBuffer? {
        let context = RPCContext(
            metadata: self.request.metadata,
            deadline: self.deadline,
            client: self.connection.client,
            streamID: self.streamID
        )
        switch self.entry.run {
        case .unary(let handler, _):
            return try await handler(self.request.payload, context, maximumDataBytes)
        case .stream(_, let handler):
            guard let stream = self.stream else { return nil }
            return try await handler(stream, context)
        case .immediate, .events:
            // Answered on the event loop; such a call is never made.
            throw RPCError(code: .internal, message: "not a call with a task")
        }
    }

    private func status(of error: any Error, logger: Logger) -> RPCError {
        switch error {
        case let error as RPCError:
            return error.ofHandler
        case is CancellationError:
            return RPCError(code: .cancelled, message: "the call was cancelled")
        default:
            logger.error(
                "a call failed",
                metadata: [
                    "service": "\(self.entry.service)", "method": "\(self.entry.method)",
                    "stream": "\(self.streamID)", "error": "\(error)",
                    "request_id": "\(self.request.metadata["request-id"] ?? "")",
                ]
            )
            return RPCError(code: .internal, message: "internal error; the server's log tells more")
        }
    }
}

/// What a call's task hands to its connection.
struct ServerAnswer: Sendable {
    enum Kind: Sendable {
        /// The response of a unary call; its task ends.
        case unary
        /// A stream's responder has something to send.
        case wake(RPCStreamWaker)
        /// A stream has messages to be taken.
        case messages(ServerStream)
        /// The task of a stream's call ends; the data is that of a response, where its end is one.
        case end(ServerStream, failed: Bool)
    }

    var streamID: UInt32
    var data = ByteBuffer()
    var kind: Kind
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
