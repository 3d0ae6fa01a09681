import NIOCore
import ProtoFraming

/// One stream on the client's side, from its request to the server's one terminal frame. No I/O: events in, actions
/// out.
struct ClientStreamStateMachine: Sendable {
    enum DataAction: Equatable {
        /// The frame was taken, or is nobody's.
        case accepted
        /// It was taken and is the last: forget the stream.
        case ended
        /// The window is full and nothing was taken: try the frame again when `next` says so, or give up by `fail`.
        case windowFull
        /// The server broke the protocol. The consumer has been told; forget the stream.
        case failed
    }

    let kind: StreamKind
    private var inbox = StreamInbox()
    /// Whether data may be sent.
    private var isOpen: Bool
    /// Whether the server's terminal frame has come, or none is waited for.
    private(set) var isOver = false
    /// Why nothing can be sent any more, once it is over.
    private var failure: RPCError?

    init(kind: StreamKind) {
        self.kind = kind
        self.isOpen = kind.clientSendsData
    }

    /// A message is to be sent. Gives the flags of its data frame, or nil when it must not be sent: on a unary stream
    /// (G5-06), behind the half-close, or when the stream is over.
    func send() -> FrameFlags? {
        self.isOpen && !self.isOver ? [] : nil
    }

    /// Why `send` gives nil.
    var sendError: RPCError {
        if let failure = self.failure { return failure }
        return self.isOver
            ? RPCError(code: .failedPrecondition, message: "the server has ended the stream")
            : RPCError(code: .failedPrecondition, message: "nothing more can be sent on the stream")
    }

    /// No more messages follow. Gives the flags of the empty data frame to send (G4-01), or nil when there is none.
    mutating func halfClose() -> FrameFlags? {
        guard self.isOpen, !self.isOver else { return nil }
        self.isOpen = false
        return .endOfData
    }

    /// A data frame came in.
    mutating func dataReceived(flags: FrameFlags, data: ByteBuffer) -> DataAction {
        guard !self.isOver else { return .accepted }
        guard self.kind.serverSendsData else {
            self.fail(RPCError(code: .internal, message: "the server answered with a stream"), atOnce: true)
            return .failed
        }
        if !flags.contains(.noData), !self.inbox.offer(data) {
            return .windowFull
        }
        guard flags.contains(.remoteClosed) else { return .accepted }
        self.isOver = true
        self.inbox.finish()
        return .ended
    }

    /// Messages came in together. Gives how many were taken: the next one is to be tried by the other `dataReceived`.
    mutating func dataReceived(_ run: FrameRun) -> Int {
        guard !self.isOver else { return run.count }
        guard self.kind.serverSendsData else { return 0 }
        return run.takeMessages { self.inbox.offer($0) }
    }

    /// The response came in: it is the last frame, whatever the kind (G2-07).
    mutating func responseReceived(_ outcome: Result<ByteBuffer, RPCError>) {
        guard !self.isOver else { return }
        switch outcome {
        case .success(let payload):
            // Some peers end a stream of messages so; then no payload is no message.
            if !self.kind.serverSendsData || payload.readableBytes > 0 {
                self.inbox.append(payload)
            }
            self.isOver = true
            self.inbox.finish()
        case .failure(let error):
            self.fail(error, atOnce: false)
        }
    }

    /// Something else ended the stream: its deadline, its caller, the end of the connection.
    ///
    /// - Parameter atOnce: whether the consumer is not to see messages that came before.
    mutating func fail(_ error: RPCError, atOnce: Bool) {
        guard !self.isOver else { return }
        self.isOver = true
        self.failure = error
        self.inbox.fail(error, atOnce: atOnce)
    }

    /// Whether `next` gives anything but `wait`.
    var hasNext: Bool { self.inbox.hasNext }

    /// The consumer wants the next message.
    mutating func next() -> StreamInbox.Next {
        self.inbox.next()
    }
}
