import NIOCore
import ProtoMessages

/// One stream on the server: joins its handler's task with the event loop.
final class ServerStream: MessageSource, MessageSink {
    let streamID: UInt32
    let maximumDataBytes: Int
    /// Fed by the connection's channel handler.
    let state: StreamState<ServerStreamStateMachine>
    private let connection: ServerConnection
    private let outbox: StreamOutbox

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
        self.outbox = StreamOutbox(budget: connection.outbound)
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
        let added = try self.outbox.add(
            message,
            streamID: self.streamID,
            maximumDataBytes: self.maximumDataBytes,
            check: { () throws(RPCError) in try self.checkMaySend() }
        )
        if added == .first { self.postMessages() }
        return added != .not
    }

    func send(_ message: ByteBuffer) async throws(RPCError) {
        try self.checkMaySend()
        try await self.connection.outbound.reserve(message.readableBytes)
        if self.outbox.add(message, streamID: self.streamID) { self.postMessages() }
    }

    /// Messages that wait to be written; for the event loop.
    func takeMessages() -> (frames: [ByteBuffer], messageBytes: Int) {
        self.outbox.take()
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
