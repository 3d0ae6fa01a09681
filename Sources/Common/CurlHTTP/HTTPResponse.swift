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
        let wanted = Array(name.utf8)
        return self.raw.withUnsafeBytes { bytes in
            for line in bytes.split(separator: 0x0A) where line.count > wanted.count {
                let end = line.startIndex + wanted.count
                guard line[end] == UInt8(ascii: ":"), Self.isSame(line[..<end], wanted) else { continue }
                let value = line[(end + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
                let text = String(decoding: value, as: UTF8.self)
                return String(text.prefix { !$0.isNewline })
            }
            return nil
        }
    }

    private static func isSame(_ name: some Collection<UInt8>, _ wanted: [UInt8]) -> Bool {
        zip(name, wanted).allSatisfy { Self.lowercased($0) == Self.lowercased($1) }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
