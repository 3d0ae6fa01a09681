import CurlHTTP
import NIOCore
import ProtoMessages
import Synchronization

/// The answer to a short request, in memory: filled by the callbacks of the transfer.
final class UnaryAnswer: Sendable {
    private let state = Mutex(InferUnaryResponse())

    /// The answer so far.
    var response: InferUnaryResponse { self.state.withLock { $0 } }

    /// Sets its head.
    func begin(_ head: InferAnswerHead) {
        self.state.withLock { $0.head = head }
    }

    /// Keeps a piece; the transfer sees to the limit.
    func append(_ piece: UnsafeRawBufferPointer) -> HTTPBodyAnswer {
        self.state.withLock { _ = $0.body.writeBytes(piece) }
        return .taken
    }
}
