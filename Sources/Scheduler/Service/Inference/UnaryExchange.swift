import CurlHTTP
import NIOCore
import ProtoMessages
import Synchronization

/// Body and answer of a short request, both in memory: between its task and the callbacks of the transfer.
final class UnaryExchange: Sendable {
    private struct State {
        var body: ByteBuffer
        var response = InferUnaryResponse()
    }

    private let state: Mutex<State>

    init(_ body: ByteBuffer) {
        self.state = Mutex(State(body: body))
    }

    /// The answer so far.
    var response: InferUnaryResponse { self.state.withLock { $0.response } }

    /// Fills a buffer with the next bytes of the body; 0 at its end.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        self.state.withLock { state in
            let count = min(buffer.count, state.body.readableBytes)
            state.body.readWithUnsafeReadableBytes { bytes in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
                return count
            }
            return count
        }
    }

    func answer(head: InferAnswerHead) {
        self.state.withLock { $0.response.head = head }
    }

    /// Keeps a piece; the transfer sees to the limit.
    func answer(_ piece: UnsafeRawBufferPointer) -> HTTPBodyAnswer {
        self.state.withLock { _ = $0.response.body.writeBytes(piece) }
        return .taken
    }
}
