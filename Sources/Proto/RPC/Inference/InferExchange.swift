package import NIOCore
package import ProtoMessages
import Synchronization

/// The server's side of one `Infer` stream: joins the responder on the event loop with the callbacks, on any thread,
/// that consume the body of the request and produce that of the answer.
///
/// Nothing here waits: whoever finds nothing to take, or no room, is told by what the other side's call gives.
package final class InferExchange: Sendable {
    private typealias Machine = ChunkExchangeStateMachine<InferRequest, InferResponse>

    private struct State {
        var machine = Machine()
        /// The consumer found nothing to take, the producer no room.
        var consumerWaits = false
        var producerWaits = false

        /// Whether a consumer that waits has something to take now; it does not wait then.
        mutating func endsWait() -> Bool {
            guard self.consumerWaits, self.machine.hasArrivals else { return false }
            self.consumerWaits = false
            return true
        }
    }

    /// What a message has changed.
    package struct Arrival: Sendable, Equatable {
        /// The head, if the message was one.
        package var head: InferHead?
        /// Whether there is something of the body to take.
        package var hasBody: Bool
        /// Whether the consumer, which found nothing to take, is to be told that there is something.
        package var resumes: Bool
    }

    private let state = Mutex(State())

    /// Nothing has come or gone.
    package init() {}

    /// Takes one message.
    /// - Throws: INVALID_ARGUMENT when it must not come now.
    package func received(_ message: InferRequest) throws(RPCError) -> Arrival {
        try self.state.withLock { state throws(RPCError) in
            try state.machine.receive(message)
            var arrival = Arrival(head: nil, hasBody: state.machine.hasArrivals, resumes: state.endsWait())
            if case .head(let head) = message.part { arrival.head = head }
            return arrival
        }
    }

    /// The client sends nothing more. Gives whether the consumer, which found nothing to take, is to be told.
    /// - Throws: INVALID_ARGUMENT when something is missing.
    package func receivedEnd() throws(RPCError) -> Bool {
        try self.state.withLock { state throws(RPCError) in
            try state.machine.incomingEnded()
            return state.endsWait()
        }
    }

    /// The body, if it has come as a whole in one chunk and nothing was taken.
    package func takeWhole() -> ByteBuffer? {
        self.state.withLock { $0.machine.takeWhole() }
    }

    /// The next bytes of the body, at most so many; no bytes at its end, nil when there are none yet. Taking may make a
    /// credit that is to be sent.
    /// - Throws: why no more will come.
    package func take(upTo maximumBytes: Int) throws(RPCError) -> ByteBuffer? {
        let taken = self.state.withLock { state in
            let taken = state.machine.take(upTo: maximumBytes)
            if taken == .wait { state.consumerWaits = true }
            return taken
        }
        switch taken {
        case .bytes(let bytes): return bytes
        case .wait: return nil
        case .end: return ByteBuffer()
        case .failed(let error): throw error
        }
    }

    /// Sets the head of the answer.
    package func offer(head: InferAnswerHead) {
        self.state.withLock { $0.machine.offer(head: head) }
    }

    /// Bytes of the answer's body, at most a chunk's (256 KiB), are to be sent; false: there is no room for them yet.
    package func offer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        self.state.withLock { state in
            let isTaken = state.machine.offer(copying: bytes)
            if !isTaken { state.producerWaits = true }
            return isTaken
        }
    }

    /// The answer's body was offered as a whole; with an error, as far as it will ever be.
    package func finish(_ error: RPCError? = nil) {
        self.state.withLock { $0.machine.finish(error) }
    }

    /// What is to be sent next, and whether the producer, which found no room, is to be told that there is some.
    package func next() -> (step: RPCStreamStep<InferResponse>, resumes: Bool) {
        self.state.withLock { state in
            let step: RPCStreamStep<InferResponse> =
                switch state.machine.next() {
                case .message(let message): .message(message)
                case .wait: .wait
                case .end: .end
                case .failed(let error): .failed(error)
                }
            guard state.producerWaits, state.machine.hasRoom(for: CreditWindow.maximumChunkBytes) else {
                return (step, false)
            }
            state.producerWaits = false
            return (step, true)
        }
    }
}
