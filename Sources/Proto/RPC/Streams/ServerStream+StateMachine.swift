import NIOCore
import ProtoFraming

/// One stream on the server's side, from its accepted request to its one terminal frame. No I/O: events in, actions
/// out.
struct ServerStreamStateMachine: Sendable {
    enum DataAction: Equatable {
        /// The frame was taken.
        case accepted
        /// The window is full and nothing was taken: try the frame again when `next` says so, or give up by
        /// `windowExceeded`.
        case windowFull
        /// Answer with an error, which ends the stream. Whether the handler is to be cancelled.
        case answer(RPCError, cancel: Bool)
    }

    enum Terminal: Equatable {
        /// An empty data frame with the flags `endOfData`.
        case endOfData
        case response
    }

    let kind: StreamKind
    private var inbox = StreamInbox()
    private var isClientOpen: Bool
    /// The terminal frame went out, or the connection is gone: nothing else may be sent (G4-03).
    private(set) var isOver = false

    /// A stream was opened and its envelope is good.
    ///
    /// - Parameters:
    ///   - kind: what the method is; `refusal` gave nil for it.
    ///   - flags: those of the request frame.
    ///   - payload: that of the envelope.
    init(kind: StreamKind, flags: FrameFlags, payload: ByteBuffer) {
        self.kind = kind
        self.isClientOpen = kind.clientSendsData && flags.contains(.remoteOpen)
        // Go opens with 0x02 and no payload and means no message; Rust says so by 0x04 (G5-12). Where the message is
        // the only one, no bytes are the default message.
        let holdsMessage = self.isClientOpen ? payload.readableBytes > 0 : true
        let saysNoMessage = kind.clientSendsData && flags.contains(.noData)
        if holdsMessage, !saysNoMessage {
            self.inbox.append(payload)
        }
        if !self.isClientOpen { self.inbox.finish() }
    }

    /// Why a request with these flags cannot call a method of this kind; nil when it can. Requests that say "closed"
    /// or nothing may call any method: then their payload is the only message.
    static func refusal(of flags: FrameFlags, kind: StreamKind) -> RPCError? {
        guard flags.contains(.remoteOpen), !kind.clientSendsData else { return nil }
        return RPCError(code: .unimplemented, message: "the method takes a single message, not a stream of them")
    }

    /// A data frame came in.
    mutating func dataReceived(flags: FrameFlags, data: ByteBuffer) -> DataAction {
        guard !self.isOver else { return .answer(.streamIsNotActive, cancel: false) }
        guard self.isClientOpen else {
            let message =
                self.kind.clientSendsData
                ? "data handling error: stream closed" : "data on the stream of a call that takes none"
            return self.violated(message, cancel: true)
        }
        if !flags.contains(.noData), !self.inbox.offer(data) {
            return .windowFull
        }
        guard flags.contains(.remoteClosed) else { return .accepted }
        self.isClientOpen = false
        self.inbox.finish()
        if data.readableBytes > 0 {
            // The message counts, and the handler goes on with it, but its answer is this error (G4-01).
            return self.violated("data close message cannot include data", cancel: false)
        }
        return .accepted
    }

    /// Messages came in together. Gives how many were taken: the next one is to be tried by the other `dataReceived`.
    mutating func dataReceived(_ run: FrameRun) -> Int {
        guard !self.isOver, self.isClientOpen else { return 0 }
        return run.takeMessages { self.inbox.offer($0) }
    }

    /// A frame that found the window full has waited for too long (G5-05).
    mutating func windowExceeded() -> DataAction {
        guard !self.isOver else { return .answer(.streamIsNotActive, cancel: false) }
        let error = RPCError.windowExceeded
        self.end(error)
        return .answer(error, cancel: true)
    }

    /// Something else ended the stream with an error, such as its deadline or the end of the connection.
    mutating func end(_ error: RPCError) {
        self.isOver = true
        self.isClientOpen = false
        self.inbox.fail(error, atOnce: true)
    }

    /// Whether `next` gives anything but `wait`.
    var hasNext: Bool { self.inbox.hasNext }

    /// The handler wants the next message.
    mutating func next() -> StreamInbox.Next {
        self.inbox.next()
    }

    /// Whether messages of the handler may go out; their data frames have no flags.
    var maySend: Bool {
        !self.isOver && self.kind.serverSendsData
    }

    /// The handler ended. Gives the terminal frame to send, or nil when it has gone out.
    mutating func finish(failed: Bool) -> Terminal? {
        guard !self.isOver else { return nil }
        self.isOver = true
        self.isClientOpen = false
        return failed || !self.kind.serverSendsData ? .response : .endOfData
    }

    private mutating func violated(_ message: String, cancel: Bool) -> DataAction {
        let error = RPCError.protocolViolation(message)
        if cancel {
            self.end(error)
        } else {
            self.isOver = true
        }
        return .answer(error, cancel: cancel)
    }
}

extension RPCError {
    /// Data came for a stream that is over or never was (G4-02), in Go's words.
    static let streamIsNotActive = RPCError.protocolViolation("StreamID is no longer active")

    /// More messages wait on a stream than either side may count on (G5-05).
    static let windowExceeded = RPCError.limit(
        "more than \(StreamInbox.maximumMessages) messages or \(StreamInbox.maximumBytes) bytes wait on the stream"
    )
}
