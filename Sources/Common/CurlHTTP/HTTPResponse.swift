import Glibc

/// An answer.
public struct HTTPResponse: Sendable {
    /// HTTP status.
    public var status: Int
    /// The header fields of the final answer.
    public var headers: HTTPResponseHeaders
    /// The body, unless the request's `onBody` took it.
    public var body: [UInt8]
}

/// Header fields as they came; looked up when asked for.
public struct HTTPResponseHeaders: Sendable {
    /// Most bytes of the header of one answer.
    public static let maximumBytes = 64 << 10

    /// Bytes of the body, as the header says; nil: known at the body's end only.
    public internal(set) var contentLength: Int?

    var raw: [UInt8] = []

    /// The value of the first field of this name, in any case, without blanks around it.
    public subscript(name: String) -> String? {
        var name = name
        return name.withUTF8 { wanted in
            self.raw.withUnsafeBytes { bytes in
                Self.value(of: UnsafeRawBufferPointer(wanted), in: bytes)
            }
        }
    }

    private static func value(of wanted: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) -> String? {
        var start = 0
        while start < bytes.count {
            let end = self.endOfLine(from: start, in: bytes)
            defer { start = end + 1 }
            let colon = start + wanted.count
            guard colon < end, bytes[colon] == UInt8(ascii: ":"), self.isSame(bytes, start, wanted) else { continue }
            return String(decoding: self.trimmed(bytes[(colon + 1)..<end]), as: UTF8.self)
        }
        return nil
    }

    /// The bytes without blanks around them, nor the end of their line.
    private static func trimmed(_ value: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
        var value = value.drop(while: isBlank)
        while let last = value.last, isBlank(last) { value.removeLast() }
        return value
    }

    private static func endOfLine(from start: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress, let end = memchr(base + start, 0x0A, bytes.count - start) else {
            return bytes.count
        }
        return UnsafeRawPointer(end) - base
    }

    private static func isSame(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ wanted: UnsafeRawBufferPointer) -> Bool
    {
        for offset in 0..<wanted.count
        where self.lowercased(bytes[start + offset]) != self.lowercased(wanted[offset]) { return false }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
