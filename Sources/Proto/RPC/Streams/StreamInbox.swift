import NIOCore

/// Messages of a stream that have come and that nobody has consumed yet, and how the stream goes on behind them.
///
/// The consumer takes up all that waits at once, and what comes while it is at them waits in their place: where it took
/// them one by one, a full stream stood still for two changes of threads every few messages.
struct StreamInbox: Sendable {
    /// Most messages that wait (G5-05), besides those that the consumer has taken up: what Go's peers buffer, so no peer
    /// may count on more.
    static let maximumMessages = 64
    /// Most bytes that wait likewise, but a single message may be longer.
    static let maximumBytes = 1 << 20
    /// What the messages may have around these bytes: credits count what is inside.
    static let maximumEnvelopeBytes = maximumMessages * 64

    enum Next: Equatable {
        /// A message; with `resume` a frame that was held back now has room and should be tried again.
        case message(ByteBuffer, resume: Bool)
        /// Nothing is there yet.
        case wait
        /// Nothing will come any more.
        case end
        case failed(RPCError)
    }

    private enum Outlook {
        case open
        case finished
        case failed(RPCError)
    }

    private var messages = CircularBuffer<ByteBuffer>()
    /// Size of `messages`.
    private var bytes = 0
    /// What the consumer is at, in its order before `messages`.
    private var taken = CircularBuffer<ByteBuffer>()
    private var outlook = Outlook.open
    /// Whether a frame is held back for want of room.
    private var isHolding = false

    /// Whether more may come.
    var isOpen: Bool {
        if case .open = self.outlook { true } else { false }
    }

    /// Whether `next` gives anything but `wait`.
    var hasNext: Bool {
        !self.taken.isEmpty || !self.messages.isEmpty || !self.isOpen
    }

    /// Takes a message; gives false, and takes nothing, when there is no room for it.
    mutating func offer(_ message: ByteBuffer) -> Bool {
        let fits = self.bytes + message.readableBytes <= Self.maximumBytes + Self.maximumEnvelopeBytes
        guard self.messages.isEmpty || (fits && self.messages.count < Self.maximumMessages) else {
            self.isHolding = true
            return false
        }
        self.append(message)
        return true
    }

    /// Takes a message without regard to the room: the last one of a stream.
    mutating func append(_ message: ByteBuffer) {
        self.bytes += message.readableBytes
        self.messages.append(message)
    }

    /// No more messages come behind those that wait.
    mutating func finish() {
        if self.isOpen { self.outlook = .finished }
    }

    /// The stream failed.
    ///
    /// - Parameter atOnce: whether the consumer is not to see what still waits.
    mutating func fail(_ error: RPCError, atOnce: Bool) {
        if atOnce {
            self.taken.removeAll()
            self.messages.removeAll()
            self.bytes = 0
            self.outlook = .failed(error)
        } else if self.isOpen {
            self.outlook = .failed(error)
        }
    }

    mutating func next() -> Next {
        var resume = false
        if self.taken.isEmpty {
            swap(&self.taken, &self.messages)
            self.bytes = 0
            resume = self.isHolding
            self.isHolding = false
        }
        if let message = self.taken.popFirst() { return .message(message, resume: resume) }
        return switch self.outlook {
        case .open: .wait
        case .finished: .end
        case .failed(let error): .failed(error)
        }
    }
}
