import COpenSSL

/// Certificates, keys and rules as libssl holds them: the owner of an `SSL_CTX`. One serves any number of connections on
/// any number of event loops.
///
/// Shared unchecked, with this guard: nothing is set after `init`, and what connections share through an `SSL_CTX` is
/// under locks of libssl's own.
public final class TLSContext: @unchecked Sendable {
    /// What it was made of.
    public let configuration: TLSConfiguration

    /// The `SSL_CTX`; connections made of it keep it alive.
    let handle: OpaquePointer
    /// Sessions of this side as a client.
    let sessions = TLSSessionCache()

    /// The application protocols as they are on the wire. libssl's callback points here, so it must not move.
    private let offer: ApplicationProtocolOffer?

    /// Reads the files of a configuration and checks them against each other.
    public init(_ configuration: TLSConfiguration) throws(TLSError) {
        try configuration.validate()
        OpenSSLErrors.clear()
        guard let handle = SSL_CTX_new(TLS_method()) else {
            throw TLSError(code: .failed, message: OpenSSLErrors.take().text)
        }
        // From here on `deinit` runs, also when the rest throws.
        self.configuration = configuration
        self.handle = handle
        let names = configuration.applicationProtocols
        self.offer = names.isEmpty ? nil : ApplicationProtocolOffer(names)
        try TLSContextLoader(handle: handle, configuration: configuration).load()
        self.setApplicationProtocols()
        self.setSessions()
    }

    deinit {
        SSL_CTX_free(self.handle)
    }

    // MARK: - Application protocols (ALPN)

    private func setApplicationProtocols() {
        guard let offer = self.offer else { return }
        // As a client. Returns 0 for success, unlike its siblings.
        _ = SSL_CTX_set_alpn_protos(self.handle, offer.bytes.baseAddress, UInt32(offer.bytes.count))
        // As a server.
        let pointer = Unmanaged.passUnretained(offer).toOpaque()
        SSL_CTX_set_alpn_select_cb(
            self.handle,
            { _, chosen, chosenCount, offered, offeredCount, argument in
                guard let argument else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                let own = Unmanaged<ApplicationProtocolOffer>.fromOpaque(argument).takeUnretainedValue().bytes
                var match: UnsafeMutablePointer<UInt8>?
                // The server's order decides.
                let outcome = SSL_select_next_proto(
                    &match,
                    chosenCount,
                    own.baseAddress,
                    UInt32(own.count),
                    offered,
                    offeredCount
                )
                guard outcome == OPENSSL_NPN_NEGOTIATED, let match else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                chosen?.pointee = UnsafePointer(match)
                return SSL_TLSEXT_ERR_OK
            },
            pointer
        )
    }

    // MARK: - Sessions

    /// Most sessions that a server with client certificates keeps; the oldest go first.
    private static let maximumServerSessions = 4_096

    private func setServerSessions() {
        guard self.configuration.clientCertificates == .required else {
            // They are in the tickets that the clients hold.
            copenssl_set_session_cache_mode(self.handle, Int(SSL_SESS_CACHE_OFF))
            return
        }
        // A ticket would hold the client's certificate, to be written and parsed again with each connection: more than half
        // of what both sides spend on resuming. The clients are few, so their sessions stay here, and tickets name them.
        SSL_CTX_set_options(self.handle, copenssl_no_ticket)
        copenssl_set_session_cache_mode(self.handle, Int(SSL_SESS_CACHE_SERVER))
        copenssl_set_session_cache_size(self.handle, Self.maximumServerSessions)
    }

    private func setSessions() {
        guard self.configuration.resumesSessions else {
            copenssl_set_session_cache_mode(self.handle, Int(SSL_SESS_CACHE_OFF))
            SSL_CTX_set_options(self.handle, copenssl_no_ticket)
            SSL_CTX_set_num_tickets(self.handle, 0)
            return
        }
        SSL_CTX_set_timeout(self.handle, TLSSessionCache.lifetimeSeconds)
        // A server that asks for certificates resumes only within a named scope; the ticket keys, made anew for each
        // context, are the scope that matters.
        let scope: [UInt8] = Array("backfill".utf8)
        _ = SSL_CTX_set_session_id_context(self.handle, scope, UInt32(scope.count))
        guard self.configuration.roles.contains(.client) else {
            self.setServerSessions()
            return
        }
        copenssl_set_session_cache_mode(self.handle, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        SSL_CTX_sess_set_new_cb(self.handle) { ssl, session in
            guard let ssl, let session, let owner = copenssl_owner(ssl) else { return 0 }
            return Unmanaged<TLSConnection>.fromOpaque(owner).takeUnretainedValue().keep(session: session) ? 1 : 0
        }
    }
}

/// Application protocols, each with its length in front, at an address that stays.
private final class ApplicationProtocolOffer {
    let bytes: UnsafeBufferPointer<UInt8>

    /// Every name has at most 255 bytes.
    init(_ names: [String]) {
        let list = names.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: list.count)
        _ = bytes.initialize(from: list)
        self.bytes = UnsafeBufferPointer(bytes)
    }

    deinit {
        self.bytes.deallocate()
    }
}
