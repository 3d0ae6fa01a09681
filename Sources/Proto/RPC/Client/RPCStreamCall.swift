public import NIOCore
import ProtoFraming
public import ProtoMessages
import Synchronization

/// A stream of a server's messages that is told on the connection's event loop, to leave it early: `RPCClient.stream`
/// begins it. The stream goes on without this.
public final class RPCStreamCall: Sendable {
    /// nil when there was none to begin on.
    private let connection: ClientConnection?
    private let isOver = Atomic(false)
    /// 0 until the request is written.
    private let assignedID = Atomic(UInt32(0))

    init(on connection: ClientConnection?) {
        self.connection = connection
    }

    /// Nobody wants the messages any more: the server is told unless it has ended the stream. Nothing is told after this
    /// where it is called on the event loop of the connection; elsewhere a message may be told at that moment. On any
    /// thread, also after the end.
    public func cancel() {
        guard self.end() else { return }
        self.connection?.leave(self)
    }

    /// Whether nothing is to be told any more.
    fileprivate var hasEnded: Bool { self.isOver.load(ordering: .relaxed) }

    /// True: it is over from now on, and was not.
    fileprivate func end() -> Bool {
        guard !self.isOver.exchange(true, ordering: .acquiringAndReleasing) else { return false }
        self.connection?.leave()
        return true
    }

    fileprivate func began(streamID: UInt32) -> Bool {
        guard !self.hasEnded else { return false }
        self.assignedID.store(streamID, ordering: .relaxed)
        return true
    }
}

extension RPCStreamCall: ClientStreamHandle {
    var streamID: UInt32? {
        let streamID = self.assignedID.load(ordering: .relaxed)
        return streamID == 0 ? nil : streamID
    }
}

/// What is told of such a stream. The connection holds it until the end, and nobody else does.
private final class StreamReceiver: ClientEventStream {
    let deadline: NIODeadline
    let call: RPCStreamCall
    private let request: ByteBuffer
    private let onMessage: RPCClient.MessageReceiver
    private let completion: @Sendable (Result<Void, RPCError>) -> Void

    init(
        _ call: RPCStreamCall,
        request: ByteBuffer,
        deadline: NIODeadline,
        onMessage: @escaping RPCClient.MessageReceiver,
        completion: @escaping @Sendable (Result<Void, RPCError>) -> Void
    ) {
        self.call = call
        self.request = request
        self.deadline = deadline
        self.onMessage = onMessage
        self.completion = completion
    }

    var streamID: UInt32? { self.call.streamID }

    func began(streamID: UInt32) -> Bool {
        self.call.began(streamID: streamID)
    }

    func appendRequest(
        streamID: UInt32,
        now: NIODeadline,
        maximumDataBytes: Int,
        to buffer: inout ByteBuffer
    ) {
        Frame(
            streamID: streamID,
            type: .request,
            flags: StreamKind.serverStream.openingFlags,
            data: self.request
        ).write(into: &buffer)
    }

    func appendNext(on connection: ClientConnection, maximumDataBytes: Int, to buffer: inout ByteBuffer) -> Bool {
        false
    }

    func received(_ data: ByteBuffer) throws(RPCError) -> ClientStreamConsequences {
        try data.withUnsafeReadableBytes { bytes throws(RPCError) in
            if !self.call.hasEnded { try self.onMessage(bytes, data) }
        }
        return ClientStreamConsequences()
    }

    func received(_ run: FrameRun) throws(RPCError) -> ClientStreamConsequences {
        try run.forEachMessage { bytes throws(RPCError) in
            // Any message may make its owner leave.
            if !self.call.hasEnded { try self.onMessage(bytes, nil) }
        }
        return ClientStreamConsequences()
    }

    func ended() -> Bool {
        if self.call.end() { self.completion(.success(())) }
        return false
    }

    func failed(_ error: RPCError) {
        if self.call.end() { self.completion(.failure(error)) }
    }

    func tellArrival() {}
}

extension RPCClient {
    /// Calls a method that answers with a stream, without a task: for code that lives on event loops, at several times the
    /// messages of `withStream`.
    ///
    /// It is one attempt on a connection that exists: it neither waits for one nor tries again. Everything is told on the
    /// event loop of the connection, and must not block: the connection is not read meanwhile, which holds the server
    /// back.
    ///
    /// - Parameters:
    ///   - method: the method's name and types.
    ///   - request: its one request message.
    ///   - options: how it is called; the timeout is for the stream as a whole and travels with it.
    ///   - onMessage: gets the messages in their order.
    ///   - completion: called once, when the server has ended the stream, or with the status with which it failed: what
    ///     `call` throws, INTERNAL when a message cannot be read. Before this returns if the call cannot be sent. Never
    ///     after `cancel`.
    /// - Returns: what leaves the stream early.
    @inlinable
    @discardableResult
    public func stream<Request, Response>(
        _ method: RPCServerStreamMethod<Request, Response>,
        _ request: Request,
        options: CallOptions = CallOptions(),
        onMessage: @escaping @Sendable (Response) -> Void,
        completion: @escaping @Sendable (Result<Void, RPCError>) -> Void
    ) -> RPCStreamCall {
        let receive: MessageReceiver = { bytes, buffer throws(RPCError) in
            onMessage(try RPCClient.decode(bytes, in: buffer))
        }
        return self.receive(method.call, request, options, onMessage: receive, completion: completion)
    }

    /// Takes the bytes of a message, which are valid until it returns, and the buffer that holds nothing else.
    @usableFromInline
    typealias MessageReceiver = @Sendable (UnsafeRawBufferPointer, ByteBuffer?) throws(RPCError) -> Void

    /// The part that does not know the type of the messages.
    @usableFromInline
    func receive(
        _ method: RPCMethodCall,
        _ request: some ProtoMessage,
        _ options: CallOptions,
        onMessage: @escaping MessageReceiver,
        completion: @escaping @Sendable (Result<Void, RPCError>) -> Void
    ) -> RPCStreamCall {
        let now = NIODeadline.now()
        let deadline = now + options.timeLimit
        do throws(RPCError) {
            let connection = try self.connectionNow(options)
            let head = FrameEncoding.Head(method, deadline: deadline, now: now, options)
            let data = try Self.unsent { () throws(RPCError) in
                try FrameEncoding.request(head, request, maximumDataBytes: connection.maximumDataBytes)
            }
            if let error = connection.enter() { throw error }
            let call = RPCStreamCall(on: connection)
            let receiver = StreamReceiver(
                call,
                request: data,
                deadline: deadline,
                onMessage: onMessage,
                completion: completion
            )
            if !connection.begin(receiver) { receiver.failed(connection.isClosedError) }
            return call
        } catch {
            completion(.failure(error))
            let call = RPCStreamCall(on: nil)
            _ = call.end()
            return call
        }
    }
}
