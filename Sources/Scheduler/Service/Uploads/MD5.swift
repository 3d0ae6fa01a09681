import COpenSSL

/// MD5 by libcrypto, of bytes as they come. It tells a client's mistake, not an attacker's.
final class MD5 {
    /// Hexadecimal digits of a hash.
    static let digits = 32

    private let context: OpaquePointer

    /// Nothing taken yet; nil when libcrypto has no MD5, as where only FIPS algorithms are allowed.
    init?() {
        guard let context = EVP_MD_CTX_new() else { return nil }
        guard EVP_DigestInit_ex(context, EVP_md5(), nil) == 1 else {
            EVP_MD_CTX_free(context)
            return nil
        }
        self.context = context
    }

    deinit {
        EVP_MD_CTX_free(self.context)
    }

    /// Takes the next bytes.
    func update(_ bytes: UnsafeRawBufferPointer) {
        // It fails only after the end.
        _ = EVP_DigestUpdate(self.context, bytes.baseAddress, bytes.count)
    }

    /// The hash in lowercase hexadecimal digits; nothing may be taken after it.
    func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        _ = EVP_DigestFinal_ex(self.context, &digest, &count)
        return digest.prefix(Int(count)).hexadecimal
    }
}

extension Sequence<UInt8> {
    /// Two lowercase digits a byte.
    var hexadecimal: String {
        self.map { String($0 >> 4, radix: 16) + String($0 & 0xF, radix: 16) }.joined()
    }
}
