/// What one TLS connection may do, and what has to be done about an event. No I/O: events in, actions out.
///
/// Each direction ends with a close_notify of its own. The end of the bytes without one is a truncation (G6-10).
struct TLSConnectionStateMachine {
    /// How far the connection is.
    enum Phase: Equatable {
        /// The channel is not active yet.
        case idle
        case handshaking
        case open
        /// This side has ended it, and waits for the peer's close_notify or the end of the bytes.
        case closing
        /// Nothing more is read or written.
        case closed
    }

    enum WriteAction: Equatable {
        case encrypt
        /// Keep it until the handshake is complete.
        case hold
        /// Fail the write: the output was closed.
        case refuse
        /// Fail the write and the connection.
        case fail(TLSError)
    }

    enum CompletionAction: Equatable {
        /// Send what was held, tell the pipeline, then close the output if that was asked for meanwhile.
        case open(closeOutput: Bool)
        case ignore
    }

    enum EndAction: Equatable {
        case ignore
        /// Tell the pipeline that the peer writes no more; this side goes on.
        case announceHalfClosure
        /// Send close_notify, then close the channel.
        case answerAndClose
        /// Close the channel.
        case close
        /// Report the error, then close the channel.
        case fail(TLSError)
    }

    enum CloseAction: Equatable {
        /// Nothing can or has to be sent.
        case close
        /// As `close`, and the handshake has failed.
        case abandonHandshake
        /// Send close_notify unless it was sent, and wait for the peer's.
        case notifyAndWait(sendNotify: Bool)
        /// Send close_notify unless it was sent; the peer's is here already.
        case notifyAndClose(sendNotify: Bool)
        /// A close is under way already.
        case join
    }

    enum CloseOutputAction: Equatable {
        case sendNotify
        /// The peer's is here already: close the channel once this side's is out.
        case sendNotifyAndClose
        /// Once the handshake is complete and what is held was sent.
        case later
        case refuse
    }

    enum TimerAction: Equatable {
        case ignore
        case close
        case fail(TLSError)
    }

    private(set) var phase = Phase.idle
    private let maximumHeldBytes: Int
    private var heldBytes = 0
    private var inputIsOpen = true
    private var outputIsOpen = true

    /// At most `maximumHeldBytes` are written before the end of the handshake.
    init(maximumHeldBytes: Int) {
        self.maximumHeldBytes = maximumHeldBytes
    }

    /// True when bytes from the channel are of use.
    var takesInput: Bool {
        switch self.phase {
        case .handshaking, .closing: true
        case .open: self.inputIsOpen
        case .idle, .closed: false
        }
    }

    /// True when content goes to the pipeline.
    var deliversContent: Bool {
        self.phase == .open && self.inputIsOpen
    }

    /// True when the connection needs bytes although nobody behind it has asked for any.
    var readsForItself: Bool {
        self.phase == .handshaking || self.phase == .closing
    }

    // MARK: - Handshake

    /// The channel is active. True when the handshake has to begin, with its timer.
    mutating func start() -> Bool {
        guard self.phase == .idle else { return false }
        self.phase = .handshaking
        return true
    }

    mutating func handshakeCompleted() -> CompletionAction {
        guard self.phase == .handshaking else { return .ignore }
        self.phase = .open
        self.heldBytes = 0
        // `closeOutput` does not count as closed until its close_notify goes out.
        defer { self.outputIsOpen = true }
        return .open(closeOutput: !self.outputIsOpen)
    }

    // MARK: - Output

    mutating func write(bytes: Int) -> WriteAction {
        guard self.outputIsOpen else { return .refuse }
        switch self.phase {
        case .open:
            return .encrypt
        case .closing, .closed:
            return .refuse
        case .idle, .handshaking:
            guard bytes <= self.maximumHeldBytes - self.heldBytes else {
                let message = "more than \(self.maximumHeldBytes) bytes are written before the handshake is complete"
                return .fail(TLSError(code: .tooMuchHeld, message: message))
            }
            self.heldBytes += bytes
            return .hold
        }
    }

    mutating func closeOutput() -> CloseOutputAction {
        guard self.outputIsOpen else { return .refuse }
        switch self.phase {
        case .idle, .handshaking:
            self.outputIsOpen = false
            return .later
        case .open:
            self.outputIsOpen = false
            guard !self.inputIsOpen else { return .sendNotify }
            self.phase = .closed
            return .sendNotifyAndClose
        case .closing, .closed:
            return .refuse
        }
    }

    // MARK: - Input

    /// The peer's close_notify.
    mutating func closeNotifyReceived(halfClosureIsAllowed: Bool) -> EndAction {
        switch self.phase {
        case .open where self.inputIsOpen:
            self.inputIsOpen = false
            guard self.outputIsOpen else {
                self.phase = .closed
                return .close
            }
            guard !halfClosureIsAllowed else { return .announceHalfClosure }
            self.outputIsOpen = false
            self.phase = .closed
            return .answerAndClose
        case .closing:
            self.phase = .closed
            return .close
        case .idle, .handshaking, .open, .closed:
            return .ignore
        }
    }

    /// The channel has no more bytes.
    mutating func endOfBytes() -> EndAction {
        switch self.phase {
        case .handshaking:
            self.phase = .closed
            return .fail(TLSError(code: .closed, message: "the peer closed the connection in the handshake"))
        case .open where self.inputIsOpen:
            self.phase = .closed
            return .fail(TLSError(code: .truncated, message: "the bytes ended without close_notify"))
        case .closing:
            self.phase = .closed
            return .close
        case .idle, .open, .closed:
            return .ignore
        }
    }

    // MARK: - The end

    mutating func close() -> CloseAction {
        switch self.phase {
        case .idle, .closed:
            self.phase = .closed
            return .close
        case .handshaking:
            self.phase = .closed
            return .abandonHandshake
        case .open:
            let sendNotify = self.outputIsOpen
            self.outputIsOpen = false
            self.phase = self.inputIsOpen ? .closing : .closed
            return self.inputIsOpen ? .notifyAndWait(sendNotify: sendNotify) : .notifyAndClose(sendNotify: sendNotify)
        case .closing:
            return .join
        }
    }

    /// The time for the handshake, or for the peer's close_notify, has passed.
    mutating func timerFired() -> TimerAction {
        switch self.phase {
        case .handshaking:
            self.phase = .closed
            return .fail(TLSError(code: .handshakeTimeout, message: "the handshake takes too long"))
        case .closing, .closed:
            self.phase = .closed
            return .close
        case .idle, .open:
            return .ignore
        }
    }

    /// libssl has failed, or a limit was crossed. True the first time: report it and close.
    mutating func failed() -> Bool {
        guard self.phase != .closed else { return false }
        self.phase = .closed
        return true
    }
}
