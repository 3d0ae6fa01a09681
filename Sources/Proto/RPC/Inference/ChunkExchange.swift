package import NIOCore
import Synchronization

/// One side of an `Infer` stream: joins the tasks that receive and send its messages with those, or the callbacks, that
/// consume and produce the bodies.
///
/// Nothing here waits but `receive` and `transmit`: who finds nothing to take, or no room, is told when it has changed.
package final class ChunkExchange<Incoming: InferMessage, Outgoing: InferMessage>: Sendable {
    typealias Machine = ChunkExchangeStateMachine<Incoming, Outgoing>

    private struct State {
        var machine = Machine()
        /// The consumer found no head, or nothing to take, the producer no room.
        var headIsAwaited = false
        var consumerWaits = false
        var producerWaits = false
    }

    private struct Wakes {
        var consumer = false
        var producer = false
    }

    private let state = Mutex(State())
    /// Something may have to be sent.
    private let outgoing = Signal()
    private let violationCode: RPCStatus.Code
    private let onArrival: @Sendable () -> Void
    private let onRoom: @Sendable () -> Void

    /// - Parameters:
    ///   - violationCode: with which the stream fails when the peer breaks the protocol.
    ///   - onArrival: called, on any thread, when there is something to take after `take` or `head` gave nothing.
    ///   - onRoom: called, on any thread, when there may be room after `offer` found none.
    package init(
        violationCode: RPCStatus.Code = .invalidArgument,
        onArrival: @escaping @Sendable () -> Void,
        onRoom: @escaping @Sendable () -> Void
    ) {
        self.violationCode = violationCode
        self.onArrival = onArrival
        self.onRoom = onRoom
    }

    /// Takes every message that comes, until the stream ends. For one task, which must not be held up: credits for the
    /// other direction come this way too.
    /// - Throws: what the stream fails with; `violationCode` when the peer breaks the protocol.
    package func receive(_ messages: RPCMessages<Incoming>) async throws(RPCError) {
        var iterator = messages.makeAsyncIterator()
        while let message = try await iterator.next() {
            try self.received(message)
        }
        try self.checked { machine throws(RPCError) in try machine.incomingEnded() }
        self.outgoing.tell()
    }

    /// Takes one message.
    /// - Throws: `violationCode` when it must not come now.
    package func received(_ message: Incoming) throws(RPCError) {
        try self.checked { machine throws(RPCError) in try machine.receive(message) }
        if case .credit = message.content { self.outgoing.tell() }
    }

    /// Nothing more comes, for this reason.
    package func fail(_ error: RPCError) {
        self.change { $0.fail(error) }
    }

    /// Sends what there is to send, until everything has gone out after `finish`. For one task.
    /// - Throws: what sending throws, and what `finish` was given; INVALID_ARGUMENT when the peer has closed and credits
    ///   are missing.
    package func transmit(_ send: (Outgoing) async throws(RPCError) -> Void) async throws(RPCError) {
        while true {
            switch self.change({ $0.next() }) {
            case .message(let message): try await send(message)
            case .end: return
            case .failed(let error): throw error
            case .wait: guard await self.outgoing.wait() else { throw .consumerCancelled }
            }
        }
    }

    /// The peer's head; nil when it has not come yet.
    /// - Throws: why it will not come.
    package func head() throws(RPCError) -> Incoming.Head? {
        let head = self.state.withLock { state in
            let head = state.machine.head
            if head == .wait { state.headIsAwaited = true }
            return head
        }
        switch head {
        case .head(let head): return head
        case .wait: return nil
        case .failed(let error): throw error
        }
    }

    /// The next bytes of the peer's body, at most so many; no bytes at its end, nil when there are none yet.
    /// - Throws: why no more will come.
    package func take(upTo maximumBytes: Int) throws(RPCError) -> ByteBuffer? {
        let (taken, hasGrant) = self.state.withLock { state in
            let taken = state.machine.take(upTo: maximumBytes)
            if taken == .wait { state.consumerWaits = true }
            return (taken, state.machine.hasGrant)
        }
        if hasGrant { self.outgoing.tell() }
        switch taken {
        case .bytes(let bytes): return bytes
        case .wait: return nil
        case .end: return ByteBuffer()
        case .failed(let error): throw error
        }
    }

    /// Sets this side's head, which goes out before any chunk.
    package func offer(head: Outgoing.Head) {
        self.change { $0.offer(head: head) }
        self.outgoing.tell()
    }

    /// Bytes of this side's body, at most a chunk's (256 KiB), are to be sent; false: there is no room for them yet.
    package func offer(_ bytes: ByteBuffer) -> Bool {
        let isTaken = self.state.withLock { state in
            let isTaken = state.machine.offer(bytes)
            if !isTaken { state.producerWaits = true }
            return isTaken
        }
        if isTaken { self.outgoing.tell() }
        return isTaken
    }

    /// This side's body has been offered as a whole; with an error, as far as it will ever be. Then `transmit` throws the
    /// error behind what was offered.
    package func finish(_ error: RPCError? = nil) {
        self.change { $0.finish(error) }
        self.outgoing.tell()
    }

    /// Bytes of chunks that are held, either way.
    package var heldBytes: Int { self.state.withLock { $0.machine.heldBytes } }

    /// Changes the machine by what the peer did.
    private func checked(_ body: (inout Machine) throws(RPCError) -> Void) throws(RPCError) {
        do throws(RPCError) {
            try self.change(body)
        } catch {
            throw RPCError(code: self.violationCode, message: error.message)
        }
    }

    /// Changes the machine and wakes whom the change concerns.
    private func change<Result: Sendable, Failure: Error>(
        _ body: (inout Machine) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let (result, wakes) = try self.state.withLock { state throws(Failure) in
            let result = try body(&state.machine)
            let wakes = Wakes(
                consumer: state.consumerWaits && state.machine.hasArrivals
                    || state.headIsAwaited && state.machine.head != .wait,
                producer: state.producerWaits && state.machine.hasRoom(for: CreditWindow.maximumChunkBytes)
            )
            if wakes.consumer { (state.consumerWaits, state.headIsAwaited) = (false, false) }
            if wakes.producer { state.producerWaits = false }
            return (result, wakes)
        }
        if wakes.consumer { self.onArrival() }
        if wakes.producer { self.onRoom() }
        return result
    }
}

/// Wakes one task; telling it more often before it looks does no harm.
struct Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (self.stream, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func tell() {
        self.continuation.yield()
    }

    /// Waits until it is told; false when the task is cancelled.
    func wait() async -> Bool {
        for await _ in self.stream { return !Task.isCancelled }
        return false
    }
}
