import COpenSSL

/// SHA-256 by libcrypto.
enum SHA256 {
    /// The 32 bytes of the hash.
    static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        let bytes = Array(bytes)
        return [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
            _ = COpenSSL.SHA256(bytes, bytes.count, digest.baseAddress)
            count = digest.count
        }
    }
}
