import NIOCore
import ProtoMessages

/// One side of an `Infer` stream: a head and chunks out, a head and chunks in, both under credits. No I/O: events in,
/// messages out. Client and server differ in the types of their heads only.
///
/// It holds what came and was not consumed, which the peer's credits bound to 1 MiB, and what waits to be sent, at most
/// one chunk.
struct ChunkExchangeStateMachine<Incoming: InferMessage, Outgoing: InferMessage>: Sendable {
    enum Head: Equatable {
        case head(Incoming.Head)
        case wait
        case failed(RPCError)
    }

    enum Take: Equatable {
        /// The next bytes of the body.
        case bytes(ByteBuffer)
        /// Nothing is there yet.
        case wait
        /// The body was taken as a whole.
        case end
        case failed(RPCError)
    }

    enum Next: Equatable {
        case message(Outgoing)
        /// There is nothing to send yet, or no credit for it.
        case wait
        /// Everything was sent.
        case end
        /// The stream fails; what was offered before has been sent if `finish` said so.
        case failed(RPCError)
    }

    private enum Outlook {
        case open
        case complete
        case failed(RPCError)
    }

    private enum Ending {
        case whole
        case broken(RPCError)
    }

    // Incoming.
    private var receiver = CreditReceiverStateMachine()
    private var incomingHead: Incoming.Head?
    private var announcedBytes: Int?
    private var receivedBytes = 0
    private var nextReceived: UInt64 = 0
    /// What waits to be consumed, with the size that each chunk came with: 64 at most by the credits, most often one. An
    /// array takes no memory while there is none.
    private var chunks: [(rest: ByteBuffer, bytes: Int)] = []
    private var outlook = Outlook.open
    /// The peer sends nothing more, so no credits either.
    private var peerHasClosed = false

    // Outgoing.
    private var sender = CreditSenderStateMachine()
    private var grant: Credit?
    private var outgoingHead: Outgoing.Head?
    private var pending = ByteBuffer()
    private var nextSent: UInt64 = 0
    private var ending: Ending?

    /// Bytes of chunks that are held, either way.
    var heldBytes: Int { self.chunks.reduce(self.pending.readableBytes) { $0 + $1.rest.readableBytes } }
}

// MARK: - Incoming

extension ChunkExchangeStateMachine {
    /// A message came.
    /// - Throws: INVALID_ARGUMENT when it must not come now.
    mutating func receive(_ message: Incoming) throws(RPCError) {
        switch message.content {
        case .head(let head): try self.headReceived(head)
        case .chunk(let chunk): try self.chunkReceived(chunk)
        case .credit(let credit): try self.sender.granted(credit)
        case nil: break
        }
    }

    private mutating func headReceived(_ head: Incoming.Head) throws(RPCError) {
        guard self.incomingHead == nil else { throw .protocolViolation("a second head") }
        if let announced = Incoming.announcedBytes(head) {
            guard announced > 0, announced <= UInt64(InferLimits.maximumContentBytes) else {
                throw .protocolViolation("content_bytes is \(announced): give 1 to \(InferLimits.maximumContentBytes)")
            }
            self.announcedBytes = Int(announced)
        }
        self.incomingHead = head
    }

    private mutating func chunkReceived(_ chunk: InferChunk) throws(RPCError) {
        let bytes = chunk.data.readableBytes
        guard self.incomingHead != nil else { throw .protocolViolation("a chunk before the head") }
        guard chunk.sequence == self.nextReceived else {
            throw .protocolViolation("chunk \(chunk.sequence) came where chunk \(self.nextReceived) has to come")
        }
        guard (1...CreditWindow.maximumChunkBytes).contains(bytes) else {
            throw .protocolViolation("a chunk of \(bytes) bytes: give 1 to \(CreditWindow.maximumChunkBytes)")
        }
        let limit = self.announcedBytes ?? InferLimits.maximumContentBytes
        guard bytes <= limit - self.receivedBytes else {
            throw .protocolViolation("more than the \(limit) bytes that may come")
        }
        try self.receiver.received(bytes: bytes)
        self.nextReceived += 1
        self.receivedBytes += bytes
        self.chunks.append((chunk.data, bytes))
        if self.receivedBytes == self.announcedBytes { self.complete() }
    }

    /// The peer sends nothing more.
    /// - Throws: INVALID_ARGUMENT when something is missing.
    mutating func incomingEnded() throws(RPCError) {
        self.peerHasClosed = true
        guard self.incomingHead != nil else { throw .protocolViolation("the stream ended before its head came") }
        if let announced = self.announcedBytes, self.receivedBytes < announced {
            throw .protocolViolation("\(self.receivedBytes) bytes came where \(announced) were announced")
        }
        self.complete()
    }

    /// Nothing more comes, for this reason; the first one counts. What came before can still be taken.
    mutating func fail(_ error: RPCError) {
        if case .open = self.outlook { self.outlook = .failed(error) }
    }

    private mutating func complete() {
        if case .open = self.outlook { self.outlook = .complete }
    }

    /// The head that came.
    var head: Head {
        if let head = self.incomingHead { return .head(head) }
        if case .failed(let error) = self.outlook { return .failed(error) }
        return .wait
    }

    /// Whether `take` or `head` gives anything but `wait`.
    var hasArrivals: Bool {
        if case .open = self.outlook { return !self.chunks.isEmpty }
        return true
    }

    /// Whether a credit waits to be sent.
    var hasGrant: Bool { self.grant != nil }

    /// Takes the body, if it has come as a whole in one chunk of which nothing was taken. It needs no credits then.
    mutating func takeWhole() -> ByteBuffer? {
        guard case .complete = self.outlook, self.chunks.count == 1, let first = self.chunks.first,
            first.rest.readableBytes == self.receivedBytes
        else { return nil }
        self.chunks.removeFirst()
        return first.rest
    }

    /// Takes bytes of the body, of one chunk at most. Chunks that were taken as a whole count as consumed.
    mutating func take(upTo maximumBytes: Int) -> Take {
        guard var first = self.chunks.first else {
            switch self.outlook {
            case .open: return .wait
            case .complete: return .end
            case .failed(let error): return .failed(error)
            }
        }
        if first.rest.readableBytes > maximumBytes, let slice = first.rest.readSlice(length: maximumBytes) {
            self.chunks[0].rest = first.rest
            return .bytes(slice)
        }
        self.chunks.removeFirst()
        // A body that has come as a whole needs no more credits.
        if case .open = self.outlook, let credit = self.receiver.consumed(bytes: first.bytes) {
            self.grant = Credit(
                messages: (self.grant?.messages ?? 0) + credit.messages,
                bytes: (self.grant?.bytes ?? 0) + credit.bytes
            )
        }
        return .bytes(first.rest)
    }
}

// MARK: - Outgoing

extension ChunkExchangeStateMachine {
    /// Sets the head, which goes out before any chunk.
    mutating func offer(head: Outgoing.Head) {
        self.outgoingHead = head
    }

    /// Whether bytes could be taken now.
    func hasRoom(for bytes: Int) -> Bool {
        self.pending.readableBytes == 0 || self.pending.readableBytes + bytes <= CreditWindow.maximumChunkBytes
    }

    /// Bytes of the body are to be sent, at most a chunk's; false: there is no room for them yet.
    mutating func offer(_ bytes: ByteBuffer) -> Bool {
        guard self.hasRoom(for: bytes.readableBytes) else { return false }
        if self.pending.readableBytes == 0 {
            self.pending = bytes
        } else {
            self.pending.writeImmutableBuffer(bytes)
        }
        return true
    }

    /// The same with bytes that are copied, once, if there is room.
    mutating func offer(copying bytes: UnsafeRawBufferPointer) -> Bool {
        guard self.hasRoom(for: bytes.count) else { return false }
        self.pending.writeBytes(bytes)
        return true
    }

    /// No more bytes follow those that were offered; with an error, because the body breaks off behind them.
    mutating func finish(_ error: RPCError? = nil) {
        self.ending = error.map { .broken($0) } ?? .whole
    }

    /// What is to be sent now. Credits go first: the peer may wait for them before it takes anything.
    mutating func next() -> Next {
        if let grant = self.grant {
            self.grant = nil
            return .message(Outgoing(.credit(grant)))
        }
        if let head = self.outgoingHead {
            self.outgoingHead = nil
            return .message(Outgoing(.head(head)))
        }
        guard self.pending.readableBytes > 0 else {
            switch self.ending {
            case nil: return .wait
            case .whole: return .end
            case .broken(let error): return .failed(error)
            }
        }
        guard let data = self.takePending() else {
            return self.peerHasClosed
                ? .failed(.protocolViolation("the stream was closed before its last credits were granted")) : .wait
        }
        defer { self.nextSent += 1 }
        return .message(Outgoing(.chunk(InferChunk(sequence: self.nextSent, data: data))))
    }

    /// As much of what waits as there is credit for; nil: none.
    private mutating func takePending() -> ByteBuffer? {
        let count = min(self.pending.readableBytes, self.sender.maximumChunkBytes)
        guard count > 0, let data = self.pending.readSlice(length: count), self.sender.take(bytes: count) else {
            return nil
        }
        // The slice has the memory for itself.
        if self.pending.readableBytes == 0 { self.pending = ByteBuffer() }
        return data
    }
}
