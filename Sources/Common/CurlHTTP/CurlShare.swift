import CCurl

/// What the connections of a client share in libcurl: sessions of TLS, so that another handshake with a server is a short one,
/// and addresses of names. For the loop's thread; it has to outlive the connections.
final class CurlShare {
    let raw: UnsafeMutableRawPointer

    /// nil when there is no memory.
    init?() {
        guard let raw = curl_share_init() else { return nil }
        self.raw = raw
        _ = ccurl_share(raw, CURL_LOCK_DATA_SSL_SESSION)
        _ = ccurl_share(raw, CURL_LOCK_DATA_DNS)
    }

    deinit {
        curl_share_cleanup(self.raw)
    }
}
