import NIOCore
import ProtoMessages
import Synchronization

/// One stream on the server: joins its handler's task with the event loop.
final class ServerStream: MessageSource, MessageSink {
    let streamID: UInt32
    let maximumDataBytes: Int
    /// Fed by the connection's channel handler.
    let state: StreamState<ServerStreamStateMachine>
    private let connection: ServerConnection
    private let outbox = Mutex(MessageOutbox())

    init(
        _ machine: ServerStreamStateMachine,
        streamID: UInt32,
        maximumDataBytes: Int,
        connection: ServerConnection
    ) {
        self.streamID = streamID
        self.maximumDataBytes = maximumDataBytes
        self.state = StreamState(machine)
        self.connection = connection
    }

    /// Tells when the stream's connection takes no more calls.
    var drainNotice: DrainNotice { self.connection.drainNotice }

    func poll() throws(RPCError) -> MessagePoll {
        try self.state.poll { self.connection.resumeReading() }
    }

    func wait() async {
        await self.state.wait()
    }

    func sendNow(_ message: some ProtoMessage) throws(RPCError) -> Bool {
        // The other `send` tells why.
        guard !Task.isCancelled else { return false }
        try self.checkMaySend()
        let (isSent, isFirst) = try self.outbox.withLock { outbox throws(RPCError) in
            let isFirst = outbox.isEmpty
            let isSent = try outbox.append(
                message,
                streamID: self.streamID,
                maximumDataBytes: self.maximumDataBytes,
                // What is handed over counts from here until it is on the socket.
                reserve: { self.connection.outbound.reserveNow($0) }
            )
            return (isSent, isFirst)
        }
        if isSent, isFirst { self.postMessages() }
        return isSent
    }

    func send(_ message: ByteBuffer) async throws(RPCError) {
        try self.checkMaySend()
        try await self.connection.outbound.reserve(message.readableBytes)
        let isFirst = self.outbox.withLock { outbox in
            let isFirst = outbox.isEmpty
            outbox.append(message, streamID: self.streamID)
            return isFirst
        }
        if isFirst { self.postMessages() }
    }

    /// Messages that wait to be written; for the event loop.
    func takeMessages() -> MessageOutbox.Taken {
        self.outbox.withLock { $0.take() }
    }

    private func checkMaySend() throws(RPCError) {
        guard self.state.withMachine({ $0.maySend }) else {
            throw RPCError(code: .cancelled, message: "the stream has ended")
        }
    }

    private func postMessages() {
        self.connection.post(ServerAnswer(streamID: self.streamID, data: ByteBuffer(), kind: .messages(self)))
    }
}
