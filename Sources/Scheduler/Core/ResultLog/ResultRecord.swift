import Checksum

/// The outcome of one line, as the result log keeps it. Its append, once synced, is the line's commit point.
///
/// On disk, little-endian:
///
///     u32 length of what follows the checksum     u32 CRC-32C, of `SegmentFormat`'s start and of what follows
///     u32 line (0-based)  u32 epoch  u16 attempts  u16 HTTP status (0: none)  u8 outcome  u8 length of request id
///     u32 input, cached, output, reasoning, total tokens
///     request id, then the body: the engine's JSON, or for a failure {"code":...,"message":...}
public struct ResultRecord: Sendable, Equatable {
    /// How a line ended (A5-01 to A5-03).
    public enum Outcome: UInt8, Sendable {
        /// Status 2xx and a JSON answer.
        case success = 1
        /// The engine refused; its answer is the body.
        case refused = 2
        /// No usable answer.
        case failure = 3
    }

    /// 0-based number among the file's requests.
    public var line: UInt32
    /// Epoch of the owner that ran it.
    public var epoch: UInt32
    /// Counted attempts, this one included.
    public var attempts: UInt16
    /// HTTP status; 0 when there is none.
    public var status: UInt16
    /// How it ended.
    public var outcome: Outcome
    /// Tokens of the answer.
    public var usage: TokenUsage
    /// The engine's own id of the request; empty: it is the one it was sent.
    public var requestID: [UInt8]
    /// See the type's comment.
    public var body: [UInt8]

    /// Makes a record.
    public init(
        line: UInt32,
        epoch: UInt32,
        attempts: UInt16,
        status: UInt16,
        outcome: Outcome,
        usage: TokenUsage,
        requestID: [UInt8],
        body: [UInt8]
    ) {
        self.line = line
        self.epoch = epoch
        self.attempts = attempts
        self.status = status
        self.outcome = outcome
        self.usage = usage
        self.requestID = Array(requestID.prefix(Int(UInt8.max)))
        self.body = body
    }

    /// Bytes before the request id, length and checksum included.
    public static let headerBytes = 8 + 14 + 20
    /// Largest record in bytes: a body of 64 MiB and its header.
    public static let maximumBytes = 64 << 20 + 4_096

    /// Bytes that `append(to:)` adds.
    public var encodedBytes: Int { Self.headerBytes + self.requestID.count + self.body.count }

    /// Appends the record as a segment of this format holds it.
    public func append(to bytes: inout [UInt8], _ format: SegmentFormat) {
        let start = bytes.count
        bytes.appendLittleEndian(UInt32(truncatingIfNeeded: self.encodedBytes - 8))
        bytes.appendLittleEndian(UInt32(0))
        bytes.appendLittleEndian(self.line)
        bytes.appendLittleEndian(self.epoch)
        bytes.appendLittleEndian(self.attempts)
        bytes.appendLittleEndian(self.status)
        bytes.append(self.outcome.rawValue)
        bytes.append(UInt8(truncatingIfNeeded: self.requestID.count))
        for tokens in [
            self.usage.inputTokens, self.usage.cachedTokens, self.usage.outputTokens, self.usage.reasoningTokens,
            self.usage.totalTokens,
        ] {
            bytes.appendLittleEndian(UInt32(clamping: tokens))
        }
        bytes.append(contentsOf: self.requestID)
        bytes.append(contentsOf: self.body)
        bytes.withUnsafeMutableBytes { all in
            var checksum = format.seed
            checksum.update(UnsafeRawBufferPointer(rebasing: all[(start + 8)...]))
            all.storeBytes(of: checksum.value.littleEndian, toByteOffset: start + 4, as: UInt32.self)
        }
    }
}

/// A record read in place: spans into the bytes it was read from.
public struct ResultRecordView: Sendable, Equatable {
    /// 0-based number among the file's requests.
    public var line: UInt32
    /// HTTP status; 0 when there is none.
    public var status: UInt16
    /// How it ended.
    public var outcome: ResultRecord.Outcome
    /// Tokens of the answer.
    public var usage: TokenUsage
    /// Where the request id is.
    public var requestID: Range<Int>
    /// Where the body is.
    public var body: Range<Int>
    /// Bytes of the whole record.
    public var encodedBytes: Int

    /// Why bytes are not a record.
    public enum Problem: Error, Sendable, Equatable {
        /// The record goes on behind the end of the bytes; it needs `bytes` in all, as far as its start tells.
        case incomplete(bytes: Int)
        /// A length or the checksum is wrong.
        case corrupt
    }

    /// Bytes that tell a record's length and epoch.
    private static let startBytes = 16

    /// Reads the record of a segment that starts at `offset`.
    public init(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ format: SegmentFormat) throws(Problem) {
        let left = bytes.count - offset
        guard left >= Self.startBytes else { throw .incomplete(bytes: ResultRecord.headerBytes) }
        let length = Int(bytes.littleEndian(at: offset, as: UInt32.self))
        guard length >= ResultRecord.headerBytes - 8, length + 8 <= ResultRecord.maximumBytes,
            bytes.littleEndian(at: offset + 12, as: UInt32.self) == format.epoch
        else { throw .corrupt }
        guard left >= length + 8 else { throw .incomplete(bytes: length + 8) }
        let content = UnsafeRawBufferPointer(rebasing: bytes[(offset + 8)..<(offset + 8 + length)])
        var checksum = format.seed
        checksum.update(content)
        guard checksum.value == bytes.littleEndian(at: offset + 4, as: UInt32.self) else { throw .corrupt }
        let idBytes = Int(content[13])
        guard let outcome = ResultRecord.Outcome(rawValue: content[12]), 34 + idBytes <= length else { throw .corrupt }
        self.line = content.littleEndian(at: 0, as: UInt32.self)
        self.status = content.littleEndian(at: 10, as: UInt16.self)
        self.outcome = outcome
        self.usage = TokenUsage(
            inputTokens: Int(content.littleEndian(at: 14, as: UInt32.self)),
            cachedTokens: Int(content.littleEndian(at: 18, as: UInt32.self)),
            outputTokens: Int(content.littleEndian(at: 22, as: UInt32.self)),
            reasoningTokens: Int(content.littleEndian(at: 26, as: UInt32.self)),
            totalTokens: Int(content.littleEndian(at: 30, as: UInt32.self))
        )
        let idStart = offset + ResultRecord.headerBytes
        self.requestID = idStart..<(idStart + idBytes)
        self.body = (idStart + idBytes)..<(offset + 8 + length)
        self.encodedBytes = length + 8
    }
}
