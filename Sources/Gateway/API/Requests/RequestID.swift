/// Names a request in answers and logs (A9-06).
public enum RequestID {
    private static let maximumBytes = 128

    /// The client's name for the request when it is short and plain, else a new one.
    public static func choose(_ proposed: String?) -> String {
        guard let proposed, Self.isPlain(proposed) else { return Self.generate() }
        return proposed
    }

    fileprivate static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= Self.maximumBytes
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                    UInt8(ascii: ":"):
                    true
                default: false
                }
            }
    }

    private static func generate() -> String {
        self.text(UInt128.random(in: .min ... .max))
    }

    /// By hand: the library's way for integers of any size took a twelfth of a small request's time.
    fileprivate static func text(_ number: UInt128) -> String {
        let prefix = "req_".utf8
        var rest = number
        return String(unsafeUninitializedCapacity: prefix.count + 32) { buffer in
            _ = buffer.update(fromContentsOf: prefix)
            for index in prefix.count..<prefix.count + 32 {
                let digit = UInt8(truncatingIfNeeded: rest) & 0xF
                buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                rest >>= 4
            }
            return prefix.count + 32
        }
    }
}

/// Names the requests of one connection. Names are unique and no secrets, so the system's random numbers, two system calls
/// a name, are asked for once.
public struct RequestIDs {
    /// An odd number: all 2^128 numbers come before one comes again. The digits are those of the golden ratio.
    private static let step: UInt128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835
    private var last: UInt128?

    /// Names to come.
    public init() {}

    /// The client's name for the request when it is short and plain, else a new one.
    public mutating func choose(_ proposed: String?) -> String {
        if let proposed, RequestID.isPlain(proposed) { return proposed }
        let next = self.last.map { $0 &+ Self.step } ?? UInt128.random(in: .min ... .max)
        self.last = next
        return RequestID.text(next)
    }
}

/// The client's name for an operation that must happen once (A2-10).
public enum IdempotencyKey {
    /// Longest key, in bytes.
    public static let maximumBytes = 255

    /// Checks a header's value.
    ///
    /// - Throws: 400 when it is empty, too long or not printable ASCII.
    public static func check(_ value: String) throws(APIError) -> String {
        guard !value.isEmpty, value.utf8.count <= Self.maximumBytes, value.utf8.allSatisfy({ 0x20..<0x7F ~= $0 })
        else {
            throw .invalidValue(
                "The Idempotency-Key header must be 1 to \(Self.maximumBytes) printable ASCII characters.",
                param: "Idempotency-Key"
            )
        }
        return value
    }
}
