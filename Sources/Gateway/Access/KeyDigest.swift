import COpenSSL

/// The SHA-256 of an API key, which is all that is stored of it.
///
/// A plain hash is enough: keys are made here from 256 random bits, so that neither a dictionary nor a table made in
/// advance helps to find one, which is what salts and slow hashes are against.
public struct KeyDigest: Sendable {
    private let bytes: [UInt8]

    /// Hashes a key.
    public init(of key: some StringProtocol) {
        let text = Array(key.utf8)
        self.bytes = [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
            _ = COpenSSL.SHA256(text, text.count, digest.baseAddress)
            count = digest.count
        }
    }

    /// Reads `sha256:` and 64 hexadecimal digits; nil for anything else.
    public init?(_ text: String) {
        let prefix = "sha256:"
        let digits = Array(text.utf8.dropFirst(prefix.utf8.count))
        guard text.hasPrefix(prefix), digits.count == 2 * Int(SHA256_DIGEST_LENGTH) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.value(digits[index]), let low = Self.value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    /// As it stands in a file of keys.
    public var text: String {
        "sha256:" + self.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The first 64 bits, by which digests are looked up.
    var shortened: UInt64 {
        self.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Compares all bytes in a time that does not tell where they differ.
    func isEqual(to other: KeyDigest) -> Bool {
        CRYPTO_memcmp(self.bytes, other.bytes, Int(SHA256_DIGEST_LENGTH)) == 0
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
