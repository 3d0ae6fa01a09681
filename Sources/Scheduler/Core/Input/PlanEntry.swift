/// One line of a plan: where a request is in its file and what it names. 16 bytes, little-endian:
///
///     u64 offset   u32 length   u16 model (index in the file's table)   u8 url (likewise)   u8 flags (0)
public struct PlanEntry: Sendable, Equatable {
    /// Bytes of an entry.
    public static let encodedBytes = 16

    /// First byte of the line in the file.
    public var offset: UInt64
    /// Bytes of the line, without its end.
    public var length: UInt32
    /// Index in the file's table of models.
    public var model: UInt16
    /// Index in the file's table of urls.
    public var url: UInt8

    /// Makes an entry.
    public init(offset: UInt64, length: UInt32, model: UInt16, url: UInt8) {
        self.offset = offset
        self.length = length
        self.model = model
        self.url = url
    }

    /// Reads an entry of `encodedBytes` bytes.
    public init(_ bytes: UnsafeRawBufferPointer) throws(PlanProblem) {
        guard bytes.count >= Self.encodedBytes else { throw .tooShort }
        self.offset = bytes.littleEndian(at: 0, as: UInt64.self)
        self.length = bytes.littleEndian(at: 8, as: UInt32.self)
        self.model = bytes.littleEndian(at: 12, as: UInt16.self)
        self.url = bytes[14]
        guard bytes[15] == 0 else { throw .unknownFlags(bytes[15]) }
    }

    /// Appends the encoded entry.
    public func append(to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(self.offset)
        bytes.appendLittleEndian(self.length)
        bytes.appendLittleEndian(self.model)
        bytes.append(self.url)
        bytes.append(0)
    }
}

/// The first 16 bytes of a plan: `BFPL`, then the format version as little-endian u32, then zeros.
public struct PlanHeader: Sendable, Equatable {
    /// Bytes of the header.
    public static let encodedBytes = 16
    /// The version this code writes and reads.
    public static let version: UInt32 = 1
    private static let magic = Array("BFPL".utf8)

    /// The encoded header.
    public static var encoded: [UInt8] {
        var bytes = self.magic
        bytes.appendLittleEndian(self.version)
        bytes.appendLittleEndian(UInt64(0))
        return bytes
    }

    /// Checks a header.
    public static func check(_ bytes: UnsafeRawBufferPointer) throws(PlanProblem) {
        guard bytes.count >= self.encodedBytes else { throw .tooShort }
        guard bytes[0..<4].elementsEqual(self.magic) else { throw .notAPlan }
        let version = bytes.littleEndian(at: 4, as: UInt32.self)
        guard version == self.version else { throw .unknownVersion(version) }
    }
}

/// Why bytes are not a plan.
public enum PlanProblem: Error, Sendable, Equatable {
    case tooShort
    case notAPlan
    /// A plan of another version; this code reads `PlanHeader.version` only.
    case unknownVersion(UInt32)
    case unknownFlags(UInt8)
}
