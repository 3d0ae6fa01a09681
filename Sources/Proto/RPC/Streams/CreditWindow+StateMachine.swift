public import ProtoMessages

/// The numbers of credit flow control (G6-02): who sends a stream of chunks sends no more than the other side has let it.
///
/// A chunk costs one message and the bytes of its data. Messages that hold no chunk cost nothing; they are few.
public enum CreditWindow {
    /// What either side may send before the first grant.
    public static let initial = Credit(messages: 32, bytes: 1 << 20)
    /// What may be on its way at most: Go's peers buffer 64 messages of a stream and fail when one more comes (G5-05).
    public static let maximum = Credit(messages: 64, bytes: 16 << 20)
    /// Longest data of a chunk, in bytes: at most half of the initial window, or the last grant before one that is held
    /// back for more might not suffice for the next chunk.
    public static let maximumChunkBytes = 256 << 10
}

/// The sender's half of credit flow control. No I/O.
public struct CreditSenderStateMachine: Sendable {
    /// What may be sent now.
    private(set) var available = CreditWindow.initial

    /// Nothing is sent yet.
    public init() {}

    /// Longest chunk that may be sent now, in bytes; 0: none.
    public var maximumChunkBytes: Int {
        self.available.messages == 0 ? 0 : min(Int(self.available.bytes), CreditWindow.maximumChunkBytes)
    }

    /// A chunk is to be sent; false: wait for the next grant, which may suffice.
    public mutating func take(bytes: Int) -> Bool {
        guard self.available.messages > 0, bytes <= Int(self.available.bytes) else { return false }
        self.available.messages -= 1
        self.available.bytes -= UInt64(bytes)
        return true
    }

    /// The receiver lets more be sent.
    /// - Throws: INVALID_ARGUMENT when more than `CreditWindow.maximum` would be on its way.
    public mutating func granted(_ credit: Credit) throws(RPCError) {
        let messages = self.available.messages.addingReportingOverflow(credit.messages)
        let bytes = self.available.bytes.addingReportingOverflow(credit.bytes)
        guard !messages.overflow, messages.partialValue <= CreditWindow.maximum.messages,
            !bytes.overflow, bytes.partialValue <= CreditWindow.maximum.bytes
        else {
            throw .protocolViolation(
                "credits for more than \(CreditWindow.maximum.messages) messages or \(CreditWindow.maximum.bytes) bytes"
            )
        }
        self.available = Credit(messages: messages.partialValue, bytes: bytes.partialValue)
    }
}

/// The receiver's half of credit flow control. No I/O.
///
/// Grants are held back until they are half of a window, so that they cost a message in many.
public struct CreditReceiverStateMachine: Sendable {
    /// What the sender may still send.
    private var outstanding = CreditWindow.initial
    /// What was consumed since the last grant.
    private var consumed = Credit()

    /// Nothing has come yet.
    public init() {}

    /// A chunk came.
    /// - Throws: INVALID_ARGUMENT when the sender had no credit for it.
    public mutating func received(bytes: Int) throws(RPCError) {
        guard self.outstanding.messages > 0, bytes <= Int(self.outstanding.bytes) else {
            throw .protocolViolation("a chunk for which there was no credit")
        }
        self.outstanding.messages -= 1
        self.outstanding.bytes -= UInt64(bytes)
    }

    /// A chunk that came was consumed. Gives the grant that is to be sent now, if any.
    public mutating func consumed(bytes: Int) -> Credit? {
        self.consumed.messages += 1
        self.consumed.bytes += UInt64(bytes)
        let window = CreditWindow.initial
        guard self.consumed.messages >= window.messages / 2 || self.consumed.bytes >= window.bytes / 2 else {
            return nil
        }
        defer { self.consumed = Credit() }
        self.outstanding.messages += self.consumed.messages
        self.outstanding.bytes += self.consumed.bytes
        return self.consumed
    }
}
