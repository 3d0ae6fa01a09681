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
    private let outbox: StreamOutbox

    init(kind: StreamKind, deadline: NIODeadline, connection: ClientConnection) {
        self.deadline = deadline
        self.connection = connection
        self.state = StreamState(ClientStreamStateMachine(kind: kind))
        self.outbox = StreamOutbox(budget: connection.outbound)
    }

    var maximumDataBytes: Int { self.connection.maximumDataBytes }

    /// The stream's id; nil when it was not sent. Set on the event loop, before anything else of it is written.
    var streamID: UInt32? {
        let streamID = self.assignedID.load(ordering: .acquiring)
        return streamID == 0 ? nil : streamID
    }

    func poll() throws(RPCError) -> MessagePoll {
        try self.state.poll { self.connection.resumeReading() }
    }

    func wait() async {
        await self.state.wait()
    }

    func sendNow(_ message: some ProtoMessage) throws(RPCError) -> Bool {
        // Its id, which is in front of each message, may not be known yet.
        guard !Task.isCancelled, let streamID = self.streamID else { return false }
        let added = try self.outbox.add(
            message,
            streamID: streamID,
            maximumDataBytes: self.maximumDataBytes,
            check: { () throws(RPCError) in try self.checkMaySend() }
        )
        if added == .first { self.submitMessages() }
        return added != .not
    }

    func send(_ message: ByteBuffer) async throws(RPCError) {
        try self.checkMaySend()
        try await self.connection.outbound.reserve(message.readableBytes)
        // Those from before the id was known are before it in line.
        if let streamID = self.streamID {
            if self.outbox.add(message, streamID: streamID) { self.submitMessages() }
        } else {
            self.connection.submit(.message(self, message))
        }
    }

    private func checkMaySend() throws(RPCError) {
        let error = self.state.withMachine { $0.send() == nil ? $0.sendError : nil }
        if let error { throw error }
    }

    private func submitMessages() {
        // What waits on a connection that is gone is not to keep the next one from looking.
        if !self.connection.submit(.messages(self)) { _ = self.outbox.take() }
    }

    /// Says that no more messages follow.
    func halfClose() {
        self.connection.submit(.halfClose(self))
    }

    // MARK: - For the channel handler

    func began(streamID: UInt32) {
        self.assignedID.store(streamID, ordering: .releasing)
    }

    /// Messages that wait to be written.
    func takeMessages() -> (frames: [ByteBuffer], messageBytes: Int) {
        self.outbox.take()
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
    /// A stream whose owner is told what comes on the event loop.
    case events(any ClientEventStream)
    /// The connection itself.
    case session(SessionCall)

    /// The server has not run the call.
    func refuse(_ error: RPCError) {
        switch self {
        case .call(let call): call.finish(.failure(error))
        case .callback(let callback): callback.finish(.failure(error))
        case .stream(let stream): stream.fail(error, atOnce: true)
        case .events(let stream): stream.failed(error)
        case .session: break
        }
    }

    func fail(_ code: RPCStatus.Code, _ message: String, atOnce: Bool = true) {
        switch self {
        case .call(let call): call.fail(code, message)
        case .callback(let callback): callback.finish(.failure(RPCError(code: code, message: message)))
        case .stream(let stream): stream.fail(RPCError(code: code, message: message), atOnce: atOnce)
        case .events(let stream): stream.failed(RPCError(code: code, message: message))
        case .session: break
        }
    }
}
