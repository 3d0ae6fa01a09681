import NIOCore
import ProtoMessages
import Synchronization

/// One stream on the client: joins its caller's task with the event loop.
final class ClientStream: MessageSource, MessageSink {
    let deadline: NIODeadline
    /// Fed by the connection's channel handler.
    let state: StreamState<ClientStreamStateMachine>
    private let connection: ClientConnection
    /// 0 until the request is written.
    private let assignedID = Atomic(UInt32(0))

    init(kind: StreamKind, deadline: NIODeadline, connection: ClientConnection) {
        self.deadline = deadline
        self.connection = connection
        self.state = StreamState(ClientStreamStateMachine(kind: kind))
    }

    var maximumDataBytes: Int { self.connection.maximumDataBytes }

    /// The stream's id; nil when it was not sent. Set on the event loop, before anything else of it is written.
    var streamID: UInt32? {
        let streamID = self.assignedID.load(ordering: .relaxed)
        return streamID == 0 ? nil : streamID
    }

    func poll() throws(RPCError) -> MessagePoll {
        try self.state.poll { self.connection.resumeReading() }
    }

    func wait() async {
        await self.state.wait()
    }

    /// Its id, which is in front of each message, may not be known yet.
    func sendNow(_ message: some ProtoMessage) -> Bool {
        false
    }

    func send(_ message: ByteBuffer) async throws(RPCError) {
        let error = self.state.withMachine { $0.send() == nil ? $0.sendError : nil }
        if let error { throw error }
        // What is handed over counts from here until it is on the socket.
        try await self.connection.outbound.reserve(message.readableBytes)
        self.connection.submit(.message(self, message))
    }

    /// Says that no more messages follow.
    func halfClose() {
        self.connection.submit(.halfClose(self))
    }

    // MARK: - For the channel handler

    func began(streamID: UInt32) {
        self.assignedID.store(streamID, ordering: .relaxed)
    }

    func fail(_ error: RPCError, atOnce: Bool) {
        self.state.withMachine { $0.fail(error, atOnce: atOnce) }
    }
}

/// Who waits for frames of a stream.
enum ClientCaller: Sendable {
    case call(ClientCall)
    case callback(ClientCallback)
    case stream(ClientStream)
    /// A request to an engine that is told what comes.
    case inference(InferenceCall)
    /// The connection itself.
    case session(SessionCall)

    /// The server has not run the call.
    func refuse(_ error: RPCError) {
        switch self {
        case .call(let call): call.finish(.failure(error))
        case .callback(let callback): callback.finish(.failure(error))
        case .stream(let stream): stream.fail(error, atOnce: true)
        case .inference(let call): call.failed(error)
        case .session: break
        }
    }

    func fail(_ code: RPCStatus.Code, _ message: String, atOnce: Bool = true) {
        switch self {
        case .call(let call): call.fail(code, message)
        case .callback(let callback): callback.finish(.failure(RPCError(code: code, message: message)))
        case .stream(let stream): stream.fail(RPCError(code: code, message: message), atOnce: atOnce)
        case .inference(let call): call.failed(RPCError(code: code, message: message))
        case .session: break
        }
    }
}
