/// Names a request in answers and logs (A9-06).
public enum RequestID {
    private static let maximumBytes = 128

    /// The client's name for the request when it is short and plain, else a new one.
    public static func choose(_ proposed: String?) -> String {
        guard let proposed, Self.isPlain(proposed) else { return Self.generate() }
        return proposed
    }

    private static func isPlain(_ text: String) -> Bool {
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
        // By hand: the library's way for integers of any size took a twelfth of a small request's time.
        var random = UInt128.random(in: .min ... .max)
        let prefix = "req_".utf8
        return String(unsafeUninitializedCapacity: prefix.count + 32) { buffer in
            _ = buffer.update(fromContentsOf: prefix)
            for index in prefix.count..<prefix.count + 32 {
                let digit = UInt8(truncatingIfNeeded: random) & 0xF
                buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                random >>= 4
            }
            return prefix.count + 32
        }
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
