import COpenSSL
import NIOCore

/// One connection as libssl sees it: the owner of an `SSL`. Bound to one event loop. Takes and gives bytes; what is to be
/// done about them is the handler's to say.
final class TLSConnection {
    enum HandshakeOutcome {
        case needsInput
        case complete
        case failed(TLSError)
    }

    enum ReadOutcome {
        /// The limit of the buffer was reached; there may be more.
        case more
        case needsInput
        /// The peer's close_notify.
        case end
        case failed(TLSError)
    }

    /// Longest content of one record.
    static let recordBytes = 16 * 1024
    /// Room for a record's header, type and tag, generously.
    static let recordOverheadBytes = 64

    let bio = ChannelBIO()

    private let handle: OpaquePointer
    private let context: TLSContext
    private let role: TLSRole
    private let expected: TLSExpectedPeer

    init(context: TLSContext, role: TLSRole, expected: TLSExpectedPeer) throws(TLSError) {
        OpenSSLErrors.clear()
        guard let handle = SSL_new(context.handle) else {
            throw TLSError(code: .failed, message: OpenSSLErrors.take().text)
        }
        self.handle = handle
        self.context = context
        self.role = role
        self.expected = expected
        guard let bio = self.bio.makeBIO() else {
            throw TLSError(code: .failed, message: OpenSSLErrors.take().text)
        }
        // The SSL owns the BIO now, for both directions.
        SSL_set_bio(handle, bio, bio)
        _ = copenssl_set_owner(handle, Unmanaged.passUnretained(self).toOpaque())
        switch role {
        case .server: self.prepareServer()
        case .client: try self.prepareClient()
        }
    }

    deinit {
        SSL_free(self.handle)
    }

    private func prepareServer() {
        SSL_set_accept_state(self.handle)
        let isMutual = self.context.configuration.clientCertificates == .required
        SSL_set_verify(self.handle, isMutual ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE, nil)
    }

    private func prepareClient() throws(TLSError) {
        SSL_set_connect_state(self.handle)
        SSL_set_verify(self.handle, SSL_VERIFY_PEER) { isGood, store in
            // libssl checks names and addresses, not URIs. Here a refusal is an alert of the handshake.
            guard isGood == 1, X509_STORE_CTX_get_error_depth(store) == 0 else { return isGood }
            let index = SSL_get_ex_data_X509_STORE_CTX_idx()
            guard let certificate = X509_STORE_CTX_get_current_cert(store),
                let ssl = X509_STORE_CTX_get_ex_data(store, index), let owner = copenssl_owner(OpaquePointer(ssl))
            else { return 0 }
            let expected = Unmanaged<TLSConnection>.fromOpaque(owner).takeUnretainedValue().expected
            guard let uri = expected.uri, !TLSPeerCertificate(certificate).uris.contains(uri) else { return 1 }
            X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH)
            return 0
        }
        if let name = self.expected.serverName {
            // A chain that is trusted says nothing about the name: this does. Never the subject's common name.
            SSL_set_hostflags(self.handle, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
            guard SSL_set1_host(self.handle, name) == 1 else {
                throw TLSError(code: .configuration, message: "\(name) is no server name: \(OpenSSLErrors.take().text)")
            }
            if !self.expected.isAddress, copenssl_set_server_name(self.handle, name) != 1 {
                throw TLSError(code: .configuration, message: "\(name) is no server name: \(OpenSSLErrors.take().text)")
            }
        }
        if self.context.configuration.resumesSessions,
            let session = self.context.sessions.take(name: self.expected.sessionName)
        {
            _ = SSL_set_session(self.handle, session.handle)
        }
    }

    /// Called by libssl, inside of a read, when the server has sent a ticket. True takes over the reference.
    func keep(session: OpaquePointer) -> Bool {
        guard self.role == .client, self.context.configuration.resumesSessions else { return false }
        self.context.sessions.store(TLSSession(owning: session), name: self.expected.sessionName)
        return true
    }

    // MARK: - Handshake

    func handshake() -> HandshakeOutcome {
        OpenSSLErrors.clear()
        let result = SSL_do_handshake(self.handle)
        if result == 1 { return self.checkPeer() }
        let reason = SSL_get_error(self.handle, result)
        return reason == SSL_ERROR_WANT_READ ? .needsInput : .failed(self.error())
    }

    /// Looks at libssl's verdict once more: a resumed session brings one from the past.
    private func checkPeer() -> HandshakeOutcome {
        let isVerified = SSL_get_verify_mode(self.handle) & SSL_VERIFY_PEER != 0
        guard isVerified else { return .complete }
        let verdict = SSL_get_verify_result(self.handle)
        guard verdict == Int(X509_V_OK) else { return .failed(CertificateProblem.error(verdict: verdict)) }
        guard SSL_get0_peer_certificate(self.handle) != nil else {
            return .failed(TLSError(code: .certificateMissing, message: "the peer has shown no certificate"))
        }
        return .complete
    }

    /// Whom the connection is with; of use after the handshake.
    func peer() -> TLSPeer {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(self.handle, &name, &count)
        let chosen = UnsafeBufferPointer(start: name, count: Int(count))
        let serverName = SSL_get_servername(self.handle, TLSEXT_NAMETYPE_host_name)
        return TLSPeer(
            certificate: self.peerCertificate(),
            applicationProtocol: chosen.isEmpty ? nil : String(decoding: chosen, as: UTF8.self),
            serverName: serverName.map { String(cString: $0) },
            version: SSL_get_version(self.handle).map { String(cString: $0) } ?? "",
            cipher: SSL_CIPHER_get_name(SSL_get_current_cipher(self.handle)).map { String(cString: $0) } ?? "",
            isResumed: SSL_session_reused(self.handle) == 1
        )
    }

    private func peerCertificate() -> TLSPeerCertificate? {
        guard let certificate = SSL_get1_peer_certificate(self.handle) else { return nil }
        defer { X509_free(certificate) }
        return TLSPeerCertificate(certificate)
    }

    // MARK: - Content

    /// About as many bytes of content can be read now, or a few less when a record has come in parts.
    var waitingBytes: Int {
        self.bio.received.readableBytes + Int(SSL_pending(self.handle))
    }

    /// Decrypts into a buffer until `limit` is reached, or there are no more whole records.
    func read(into buffer: inout ByteBuffer, limit: Int) -> ReadOutcome {
        while buffer.readableBytes < limit {
            // The rest of a record whose first part was here before did not show in `waitingBytes`.
            if buffer.writableBytes == 0 { buffer.reserveCapacity(minimumWritableBytes: max(1_024, self.waitingBytes)) }
            OpenSSLErrors.clear()
            var count = 0
            let result = buffer.withUnsafeMutableWritableBytes { bytes in
                SSL_read_ex(self.handle, bytes.baseAddress, bytes.count, &count)
            }
            if result == 1 {
                buffer.moveWriterIndex(forwardBy: count)
                continue
            }
            switch SSL_get_error(self.handle, result) {
            case SSL_ERROR_WANT_READ: return .needsInput
            case SSL_ERROR_ZERO_RETURN: return .end
            default: return .failed(self.error())
            }
        }
        return .more
    }

    /// Encrypts all of the bytes into `bio.sent`, which takes any number.
    func write(_ bytes: UnsafeRawBufferPointer) -> TLSError? {
        guard bytes.count > 0 else { return nil }
        let records = bytes.count / Self.recordBytes + 1
        self.bio.reserve(bytes.count + records * Self.recordOverheadBytes)
        OpenSSLErrors.clear()
        var count = 0
        let result = SSL_write_ex(self.handle, bytes.baseAddress, bytes.count, &count)
        guard result == 1, count == bytes.count else { return self.error() }
        return nil
    }

    /// Writes close_notify. Of no use before the end of the handshake, where it does nothing.
    func sendCloseNotify() {
        OpenSSLErrors.clear()
        _ = SSL_shutdown(self.handle)
        OpenSSLErrors.clear()
    }

    // MARK: - Errors

    /// The error of the call that has just failed.
    private func error() -> TLSError {
        let errors = OpenSSLErrors.take()
        if errors.contains(SSL_R_CERTIFICATE_VERIFY_FAILED) {
            return CertificateProblem.error(verdict: SSL_get_verify_result(self.handle))
        }
        if let alert = errors.alert { return CertificateProblem.error(alert: alert, words: errors.text) }
        return TLSError(code: Self.codes.first { errors.contains($0.reason) }?.code ?? .failed, message: errors.text)
    }

    private static let codes: [(reason: Int32, code: TLSError.Code)] = [
        (SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, .certificateMissing),
        (SSL_R_UNSUPPORTED_PROTOCOL, .version),
        (SSL_R_NO_PROTOCOLS_AVAILABLE, .version),
        (SSL_R_VERSION_TOO_LOW, .version),
        (SSL_R_NO_APPLICATION_PROTOCOL, .applicationProtocol),
        (SSL_R_EE_KEY_TOO_SMALL, .weakKey),
        (SSL_R_HTTP_REQUEST, .notTLS),
        (SSL_R_HTTPS_PROXY_REQUEST, .notTLS),
        (SSL_R_WRONG_VERSION_NUMBER, .notTLS),
        (SSL_R_RECORD_LENGTH_MISMATCH, .notTLS),
        (SSL_R_PACKET_LENGTH_TOO_LONG, .notTLS),
        (SSL_R_UNEXPECTED_MESSAGE, .failed),
    ]
}
