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

    var raw: [UInt8] = []

    /// The value of the first field of this name, in any case.
    public subscript(name: String) -> String? {
        var name = name
        return name.withUTF8 { wanted in
            self.raw.withUnsafeBytes { bytes in
                var start = 0
                return Self.value(of: UnsafeRawBufferPointer(wanted), in: bytes, from: &start)
            }
        }
    }

    /// The values of all fields of this name, in any case, in their order.
    public func values(of name: String) -> [String] {
        var name = name
        return name.withUTF8 { wanted in
            self.raw.withUnsafeBytes { bytes in
                var start = 0
                var values: [String] = []
                while let value = Self.value(of: UnsafeRawBufferPointer(wanted), in: bytes, from: &start) {
                    values.append(value)
                }
                return values
            }
        }
    }

    /// The next value from `start` on, which moves behind it.
    private static func value(
        of wanted: UnsafeRawBufferPointer,
        in bytes: UnsafeRawBufferPointer,
        from start: inout Int
    ) -> String? {
        while start < bytes.count {
            let end = self.endOfLine(from: start, in: bytes)
            defer { start = end + 1 }
            let colon = start + wanted.count
            guard colon < end, bytes[colon] == UInt8(ascii: ":"), self.isSame(bytes, start, wanted) else { continue }
            let value = bytes[(colon + 1)..<end].drop { $0 == 0x20 || $0 == 0x09 }
            return String(decoding: value.prefix { $0 != 0x0D }, as: UTF8.self)
        }
        return nil
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
