import NIOCore
import ProtoMessages
import Synchronization

/// Messages of a stream that its task has handed over and the event loop has not taken yet. They count as on their way on
/// their connection, from here until they are on the socket.
///
/// Only the first of those that wait looks after the stream and wakes the event loop: it takes all of them at once.
final class StreamOutbox: Sendable {
    enum Added {
        /// The event loop is to be told.
        case first
        /// It will come for those before it.
        case behindOthers
        /// There is no room.
        case not
    }

    private struct State {
        var messages = MessageOutbox()
        var room: OutboundRoom
    }

    private let state: Mutex<State>

    init(budget: OutboundBudget) {
        self.state = Mutex(State(room: OutboundRoom(of: budget)))
    }

    /// Adds a message if there is room for it.
    ///
    /// - Parameter check: throws why the stream takes no messages; asked before the first.
    /// - Throws: what `check` throws; RESOURCE_EXHAUSTED when the message does not fit into a frame (G5-04).
    func add(
        _ message: some ProtoMessage,
        streamID: UInt32,
        maximumDataBytes: Int,
        check: () throws(RPCError) -> Void
    ) throws(RPCError) -> Added {
        try self.state.withLock { state throws(RPCError) in
            let isFirst = state.messages.isEmpty
            if isFirst { try check() }
            let isAdded = try state.messages.append(
                message,
                streamID: streamID,
                maximumDataBytes: maximumDataBytes,
                reserve: { state.room.take($0) }
            )
            guard isAdded else { return .not }
            return isFirst ? .first : .behindOthers
        }
    }

    /// Adds a message that was encoded before, and for which there is room. True: the event loop is to be told.
    func add(_ data: ByteBuffer, streamID: UInt32) -> Bool {
        self.state.withLock { state in
            let isFirst = state.messages.isEmpty
            state.messages.append(data, streamID: streamID)
            state.room.add(data.readableBytes)
            return isFirst
        }
    }

    /// Takes all that waits: frames, and the bytes of messages in them.
    func take() -> (frames: [ByteBuffer], messageBytes: Int) {
        self.state.withLock { state in (state.messages.take(), state.room.end()) }
    }
}
