public import NIOCore

/// The ten bytes in front of every ttrpc frame (G2-01), big-endian: `u32` data length, `u32` stream id, `u8` type,
/// `u8` flags.
public struct FrameHeader: Sendable, Hashable {
    /// Size on the wire, in bytes.
    public static let size = 10

    /// Bytes of data that follow the header.
    public var length: UInt32
    /// Stream that the frame belongs to; odd ids are the client's (G2-04).
    public var streamID: UInt32
    /// What the data is.
    public var type: FrameType
    /// What the frame says about the stream; its meaning depends on `type`.
    public var flags: FrameFlags

    /// Makes a header.
    public init(length: UInt32, streamID: UInt32, type: FrameType, flags: FrameFlags = []) {
        self.length = length
        self.streamID = streamID
        self.type = type
        self.flags = flags
    }
}

/// Kind of a frame (G2-03). Numbers without a name are kept as they came.
public struct FrameType: RawRepresentable, Sendable, Hashable {
    /// Number on the wire.
    public var rawValue: UInt8

    /// Wraps a number.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Opens a stream: client to server, data is a `Request` envelope.
    public static let request = FrameType(rawValue: 1)
    /// Ends a stream for both sides: server to client, data is a `Response` envelope (G2-07).
    public static let response = FrameType(rawValue: 2)
    /// A message of a stream, either way; data is the message alone (G3-01).
    public static let data = FrameType(rawValue: 3)

    /// Whether the number is one of ttrpc 1.2's three kinds.
    public var isKnown: Bool {
        self == .request || self == .response || self == .data
    }
}

/// Flags of a frame (G2-05, G2-06). Bits without a name are kept as they came.
public struct FrameFlags: OptionSet, Sendable, Hashable {
    /// Bits on the wire.
    public var rawValue: UInt8

    /// Wraps bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The sender will send nothing more on the stream.
    public static let remoteClosed = FrameFlags(rawValue: 0x01)
    /// On a request: the client will send data frames.
    public static let remoteOpen = FrameFlags(rawValue: 0x02)
    /// The frame carries no message. Without it an empty data frame is an empty message (G2-06).
    public static let noData = FrameFlags(rawValue: 0x04)
}

extension FrameHeader {
    /// Reads a header from the front of `buffer`; nil, and nothing read, when fewer than ten bytes are there.
    public init?(reading buffer: inout ByteBuffer) {
        guard let header = buffer.withUnsafeReadableBytes({ FrameHeader(at: 0, in: $0) }) else { return nil }
        self = header
        buffer.moveReaderIndex(forwardBy: Self.size)
    }

    /// Reads a header where it is; nil when fewer than ten bytes are there.
    init?(at offset: Int, in bytes: UnsafeRawBufferPointer) {
        guard bytes.count - offset >= Self.size else { return nil }
        self.init(
            length: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)),
            streamID: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)),
            type: FrameType(rawValue: bytes[offset + 8]),
            flags: FrameFlags(rawValue: bytes[offset + 9])
        )
    }

    func frame(_ data: ByteBuffer) -> Frame {
        Frame(streamID: self.streamID, type: self.type, flags: self.flags, data: data)
    }

    /// Appends the ten bytes.
    public func write(into buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.size) { target in
            self.write(to: target)
            return Self.size
        }
    }

    /// Writes the ten bytes to the front of `target`, which has room for them.
    @inlinable
    public func write(to target: UnsafeMutableRawBufferPointer) {
        precondition(target.count >= Self.size, "no room for the header")
        target.storeBytes(of: self.length.bigEndian, as: UInt32.self)
        target.storeBytes(of: self.streamID.bigEndian, toByteOffset: 4, as: UInt32.self)
        target[8] = self.type.rawValue
        target[9] = self.flags.rawValue
    }
}
