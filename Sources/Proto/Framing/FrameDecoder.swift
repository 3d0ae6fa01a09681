public import NIOCore

/// Cuts a connection's bytes into frames. Bytes go in as they arrive, events come out; no I/O.
///
/// Memory is taken only for bytes that have arrived, never for an announced length. Data of frames that are too long,
/// or of a type that ttrpc does not know (G2-03), is dropped as it arrives.
public struct FrameDecoder: Sendable {
    /// What came out of the bytes.
    public enum Event: Sendable, Hashable {
        /// A whole frame within the limit.
        case frame(Frame)
        /// The header of a frame over the limit; its data will be discarded (G5-03).
        case oversized(FrameHeader)
    }

    private enum State: Hashable {
        case header
        case data(FrameHeader)
        case discarding(bytes: Int)
        case failed(FrameError)
    }

    private let limits: FrameLimits
    private var state = State.header
    private var buffer = ByteBuffer()

    /// Headers read so far; with `isInsideHeader` it tells a slow header from several quick ones.
    public private(set) var headersRead: UInt64 = 0

    /// Bytes added so far.
    public private(set) var bytesReceived: UInt64 = 0

    /// Makes a decoder for one connection.
    public init(limits: FrameLimits = FrameLimits()) {
        self.limits = limits
    }

    /// Whether some bytes of a header, but not all ten, have arrived.
    public var isInsideHeader: Bool {
        self.state == .header && self.buffer.readableBytes > 0
    }

    /// Whether a header was read and the data that it announced has not all arrived. Meaningful once `next()` gave nil.
    public var isInsideData: Bool {
        switch self.state {
        case .data, .discarding: true
        case .header, .failed: false
        }
    }

    /// Bytes held, waiting for the rest of their frame.
    public var bufferedBytes: Int {
        self.buffer.readableBytes
    }

    /// Adds bytes as they came from the peer. Call `next()` afterwards until it gives nil. Once that has thrown, bytes
    /// are dropped.
    public mutating func append(_ bytes: ByteBuffer) {
        if case .failed = self.state { return }
        self.bytesReceived += UInt64(bytes.readableBytes)
        if self.buffer.readableBytes == 0 {
            self.buffer = bytes
        } else if self.buffer.readerIndex == 0 {
            self.buffer.writeImmutableBuffer(bytes)
        } else {
            // Frames handed out share this storage: what is left of it moves to storage of its own.
            var joined = ByteBuffer()
            joined.reserveCapacity(self.buffer.readableBytes + bytes.readableBytes)
            joined.writeImmutableBuffer(self.buffer)
            joined.writeImmutableBuffer(bytes)
            self.buffer = joined
        }
    }

    /// The next event, or nil when more bytes are needed.
    ///
    /// - Throws: `FrameError` when the connection must be closed; it throws the same ever after.
    public mutating func next() throws(FrameError) -> Event? {
        while true {
            switch self.state {
            case .header:
                guard let header = FrameHeader(reading: &self.buffer) else { return nil }
                self.headersRead += 1
                // Most frames are there as a whole.
                if header.type.isKnown, Int(header.length) <= self.limits.maximumDataBytes,
                    let data = self.buffer.readSlice(length: Int(header.length))
                {
                    return .frame(header.frame(data))
                }
                if let event = try self.begin(header) { return event }
            case .data(let header):
                guard let data = self.buffer.readSlice(length: Int(header.length)) else { return nil }
                self.state = .header
                return .frame(header.frame(data))
            case .discarding(let bytes):
                let dropped = min(bytes, self.buffer.readableBytes)
                self.buffer.moveReaderIndex(forwardBy: dropped)
                guard dropped == bytes else {
                    self.state = .discarding(bytes: bytes - dropped)
                    return nil
                }
                self.state = .header
            case .failed(let error):
                throw error
            }
        }
    }

    /// Decides what becomes of a frame once its header is known.
    private mutating func begin(_ header: FrameHeader) throws(FrameError) -> Event? {
        let length = Int(header.length)
        guard length <= self.limits.maximumDiscardedBytes else {
            let error = FrameError.tooLargeToDiscard(header)
            self.state = .failed(error)
            self.buffer = ByteBuffer()
            throw error
        }
        guard header.type.isKnown else {
            self.state = .discarding(bytes: length)
            return nil
        }
        guard length <= self.limits.maximumDataBytes else {
            self.state = .discarding(bytes: length)
            return .oversized(header)
        }
        self.state = .data(header)
        return nil
    }
}
