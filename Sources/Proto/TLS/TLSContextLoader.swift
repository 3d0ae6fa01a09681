import COpenSSL
import Glibc

/// Brings the rules and files of a configuration into an `SSL_CTX`.
struct TLSContextLoader {
    /// Security level 2: 112 bits, so RSA of 2,048 bits and no SHA-1.
    private static let securityLevel: Int32 = 2
    /// Most certificates between a peer's and the root.
    private static let maximumDepth: Int32 = 8
    /// Longest chain that is read from a peer.
    private static let maximumChainBytes = 64 * 1024
    /// The fastest first where a processor has AES instructions; all are secure.
    private static let ciphers13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    /// With forward secrecy and authentication.
    private static let ciphers12 = "ECDHE+AESGCM:ECDHE+CHACHA20"

    let handle: OpaquePointer
    let configuration: TLSConfiguration

    func load() throws(TLSError) {
        try self.loadRules()
        if let identity = self.configuration.identity { try self.load(identity) }
        try self.loadTrust()
        self.completeChain()
        if let path = self.configuration.revocationLists { try self.loadRevocationLists(path) }
    }

    private func loadRules() throws(TLSError) {
        SSL_CTX_set_security_level(self.handle, Self.securityLevel)
        SSL_CTX_set_verify_depth(self.handle, Self.maximumDepth)
        SSL_CTX_set_options(self.handle, copenssl_safe_options)
        copenssl_set_maximum_certificates(self.handle, Self.maximumChainBytes)
        copenssl_accept_moving_buffers(self.handle)
        copenssl_keep_buffers(self.handle)
        // Else libssl looks for the issuers of its own certificate in every handshake, verifies them, and sends the root
        // too, for the peer to parse: two fifths of what both sides spend on a mutual handshake. `completeChain` does it once.
        copenssl_build_no_chains(self.handle)
        // An encrypted key must not ask for its password at a terminal.
        SSL_CTX_set_default_passwd_cb(self.handle) { _, _, _, _ in 0 }
        let version = self.configuration.minimumVersion == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION
        guard copenssl_set_minimum_version(self.handle, version) == 1,
            SSL_CTX_set_ciphersuites(self.handle, Self.ciphers13) == 1,
            SSL_CTX_set_cipher_list(self.handle, Self.ciphers12) == 1
        else { throw TLSError(code: .failed, message: OpenSSLErrors.take().text) }
    }

    // MARK: - Own certificate and key

    private func load(_ identity: TLSConfiguration.Identity) throws(TLSError) {
        try self.requireReadable(identity.chain)
        try self.requireReadable(identity.key)
        OpenSSLErrors.clear()
        guard SSL_CTX_use_certificate_chain_file(self.handle, identity.chain) == 1 else {
            throw self.error(in: identity.chain, "holds no usable certificate chain")
        }
        // Read on its own first, to tell a broken key from one that belongs to another certificate.
        let key = try self.readKey(identity.key)
        defer { EVP_PKEY_free(key) }
        guard let certificate = SSL_CTX_get0_certificate(self.handle), X509_check_private_key(certificate, key) == 1
        else {
            OpenSSLErrors.clear()
            let message = "the key \(identity.key) is not that of the certificate \(identity.chain)"
            throw TLSError(code: .mismatchedKey, message: message)
        }
        guard SSL_CTX_use_PrivateKey(self.handle, key) == 1 else {
            throw self.error(in: identity.key, "cannot be used")
        }
    }

    private func readKey(_ path: String) throws(TLSError) -> OpaquePointer {
        OpenSSLErrors.clear()
        guard let file = BIO_new_file(path, "r") else { throw self.error(in: path, "cannot be opened") }
        defer { BIO_free(file) }
        guard let key = PEM_read_bio_PrivateKey(file, nil, { _, _, _, _ in 0 }, nil) else {
            throw self.error(in: path, "holds no private key without a password")
        }
        return key
    }

    // MARK: - Trust

    private func loadTrust() throws(TLSError) {
        OpenSSLErrors.clear()
        switch self.configuration.trust {
        case nil:
            return
        case .system:
            guard SSL_CTX_set_default_verify_paths(self.handle) == 1 else {
                throw TLSError(code: .missingFile, message: "the system's roots: \(OpenSSLErrors.take().text)")
            }
        case .file(let path):
            try self.requireReadable(path)
            guard SSL_CTX_load_verify_file(self.handle, path) == 1 else {
                throw self.error(in: path, "holds no certificates to trust")
            }
            guard self.configuration.clientCertificates == .required else { return }
            // Tells clients whose certificates would do.
            SSL_CTX_set_client_CA_list(self.handle, SSL_load_client_CA_file(path))
        }
    }

    /// Adds what a chain file with one certificate lacks, as far as it is among the trusted. The root is not sent: a peer
    /// has it, or does not trust it.
    private func completeChain() {
        guard self.configuration.identity != nil, copenssl_has_chain(self.handle) == 0 else { return }
        // What is not found there is the peer's to find: no error.
        _ = copenssl_build_chain(self.handle)
        OpenSSLErrors.clear()
    }

    private func loadRevocationLists(_ path: String) throws(TLSError) {
        try self.requireReadable(path)
        OpenSSLErrors.clear()
        guard let store = SSL_CTX_get_cert_store(self.handle),
            let lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file()),
            X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) > 0
        else { throw self.error(in: path, "holds no revocation lists") }
        // All: an issuer without a list makes its certificates bad, rather than unchecked.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
    }

    // MARK: - Errors

    /// libssl words a missing file badly.
    private func requireReadable(_ path: String) throws(TLSError) {
        guard access(path, R_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw TLSError(code: .missingFile, message: "\(path) cannot be read: \(reason)")
        }
    }

    private func error(in path: String, _ problem: String) -> TLSError {
        let errors = OpenSSLErrors.take()
        let weak = [SSL_R_EE_KEY_TOO_SMALL, SSL_R_CA_KEY_TOO_SMALL, SSL_R_CA_MD_TOO_WEAK]
        let code: TLSError.Code = weak.contains { errors.contains($0) } ? .weakKey : .malformedFile
        return TLSError(code: code, message: "\(path) \(problem): \(errors.text)")
    }
}
