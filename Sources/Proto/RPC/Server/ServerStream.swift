import NIOCore

/// One stream on the server: joins its handler's task with the event loop.
final class ServerStream: MessageSource, MessageSink {
    let streamID: UInt32
    let maximumDataBytes: Int
    /// Fed by the connection's channel handler.
    let state: StreamState<ServerStreamStateMachine>
    private let connection: ServerConnection

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

    func next() async throws(RPCError) -> ByteBuffer? {
        try await self.state.next { self.connection.resumeReading() }
    }

    func send(_ message: ByteBuffer) async throws(RPCError) {
        guard self.state.withMachine({ $0.send() }) != nil else {
            throw RPCError(code: .cancelled, message: "the stream has ended")
        }
        // What is handed over counts from here until it is on the socket.
        try await self.connection.outbound.reserve(message.readableBytes)
        self.connection.post(ServerAnswer(streamID: self.streamID, data: message, kind: .message(self)))
    }
}
