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
    /// What is read next: bytes as they came, or the beginning of a frame that came in pieces.
    private var buffer = ByteBuffer()
    /// What came behind `buffer`.
    private var rest = ByteBuffer()
    /// Whether the storage of `buffer` is shared with nobody, so that bytes can be added to it.
    private var isOwnBuffer = false
    /// The same of `rest`, which grows while nothing is taken out.
    private var isOwnRest = false

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
        self.state == .header && self.bufferedBytes > 0
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
        self.buffer.readableBytes + self.rest.readableBytes
    }

    /// Adds bytes as they came from the peer. Call `next()` afterwards until it gives nil. Once that has thrown, bytes
    /// are dropped.
    public mutating func append(_ bytes: ByteBuffer) {
        if case .failed = self.state { return }
        self.bytesReceived += UInt64(bytes.readableBytes)
        if self.rest.readableBytes == 0 {
            self.rest = bytes
            self.isOwnRest = false
        } else if self.isOwnRest {
            self.rest.writeImmutableBuffer(bytes)
        } else {
            self.rest = Self.joined(self.rest, bytes)
            self.isOwnRest = true
        }
    }

    private static func joined(_ first: ByteBuffer, _ second: ByteBuffer) -> ByteBuffer {
        var joined = ByteBuffer()
        joined.reserveCapacity(first.readableBytes + second.readableBytes)
        joined.writeImmutableBuffer(first)
        joined.writeImmutableBuffer(second)
        return joined
    }

    /// Adds to `buffer` what came behind it, until it holds `bytes`: of a frame that came in pieces no more is copied than
    /// the frame itself. Gives false when there is nothing to add.
    private mutating func fill(upTo bytes: Int) -> Bool {
        guard self.rest.readableBytes > 0 else { return false }
        guard self.buffer.readableBytes > 0 else {
            self.buffer = self.rest
            self.rest = ByteBuffer()
            self.isOwnBuffer = false
            return true
        }
        let missing = min(bytes - self.buffer.readableBytes, self.rest.readableBytes)
        guard missing > 0, let piece = self.rest.readSlice(length: missing) else { return false }
        if self.isOwnBuffer {
            self.buffer.writeImmutableBuffer(piece)
        } else {
            self.buffer = Self.joined(self.buffer, piece)
            self.isOwnBuffer = true
        }
        if self.rest.readableBytes == 0 { self.rest = ByteBuffer() }
        return true
    }

    /// The messages of one stream at the front, when there are several; nil: ask `next()`. They stay until `consume`.
    public mutating func run() -> FrameRun? {
        guard case .header = self.state else { return nil }
        if self.buffer.readableBytes == 0, !self.fill(upTo: 0) { return nil }
        return FrameRun(at: self.buffer, maximumDataBytes: self.limits.maximumDataBytes)
    }

    /// The first messages of what `run()` has just given are taken; all of them, unless told otherwise.
    public mutating func consume(_ run: FrameRun, messages: Int? = nil) {
        let messages = messages ?? run.count
        self.headersRead += UInt64(messages)
        self.buffer.moveReaderIndex(forwardBy: run.byteCount(ofFirst: messages))
    }

    /// The next event, or nil when more bytes are needed.
    ///
    /// - Throws: `FrameError` when the connection must be closed; it throws the same ever after.
    public mutating func next() throws(FrameError) -> Event? {
        while true {
            switch self.state {
            case .header:
                guard let header = FrameHeader(reading: &self.buffer) else {
                    if self.fill(upTo: FrameHeader.size) { continue }
                    return nil
                }
                self.headersRead += 1
                // Most frames are there as a whole.
                if header.type.isKnown, Int(header.length) <= self.limits.maximumDataBytes,
                    let data = self.buffer.readSlice(length: Int(header.length))
                {
                    return .frame(header.frame(data))
                }
                if let event = try self.begin(header) { return event }
            case .data(let header):
                guard let data = self.buffer.readSlice(length: Int(header.length)) else {
                    if self.fill(upTo: Int(header.length)) { continue }
                    return nil
                }
                self.state = .header
                return .frame(header.frame(data))
            case .discarding(let bytes):
                let dropped = min(bytes, self.buffer.readableBytes)
                self.buffer.moveReaderIndex(forwardBy: dropped)
                guard dropped == bytes else {
                    self.state = .discarding(bytes: bytes - dropped)
                    if self.fill(upTo: 0) { continue }
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
            self.rest = ByteBuffer()
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
