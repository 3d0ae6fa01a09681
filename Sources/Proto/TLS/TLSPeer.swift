import COpenSSL

/// Whom a connection is with, once the handshake is complete; authorisation reads it (G6-10).
public struct TLSPeer: Sendable, Equatable {
    /// The names of the peer's certificate. None when it has not shown one, as a client need not if the server does not
    /// require it.
    public var certificate: TLSPeerCertificate?
    /// The agreed application protocol, if the two sides have named any.
    public var applicationProtocol: String?
    /// The name that the client has asked for (SNI). Said by the client, checked by nobody: not an identity.
    public var serverName: String?
    /// The version, as `TLSv1.3`.
    public var version: String
    /// The cipher, as `TLS_AES_128_GCM_SHA256`.
    public var cipher: String
    /// True when the handshake resumed an earlier session, whose certificate it stands for.
    public var isResumed: Bool

    /// Names a peer, for tests of what reads one.
    public init(
        certificate: TLSPeerCertificate?,
        applicationProtocol: String? = nil,
        serverName: String? = nil,
        version: String = "TLSv1.3",
        cipher: String = "TLS_AES_128_GCM_SHA256",
        isResumed: Bool = false
    ) {
        self.certificate = certificate
        self.applicationProtocol = applicationProtocol
        self.serverName = serverName
        self.version = version
        self.cipher = cipher
        self.isResumed = isResumed
    }
}

/// The names in the subjectAltName extension of a certificate whose chain was verified.
public struct TLSPeerCertificate: Sendable, Equatable {
    /// URIs, such as `spiffe://backfill/gateway`.
    public var uris: [String]
    /// DNS names, such as `scheduler.internal`.
    public var dnsNames: [String]

    /// Most names that are read; a certificate with more is not a service's.
    private static let maximumNames: Int32 = 64

    /// Lists names, for tests of what reads them.
    public init(uris: [String] = [], dnsNames: [String] = []) {
        self.uris = uris
        self.dnsNames = dnsNames
    }

    /// Reads the names. A name with a byte outside of visible ASCII is passed over: with a NUL or a space in it, it could
    /// be taken for another.
    init(_ certificate: OpaquePointer) {
        self.uris = []
        self.dnsNames = []
        guard let names = copenssl_alternative_names(certificate) else { return }
        defer { GENERAL_NAMES_free(names) }
        for index in 0..<min(copenssl_names_count(names), Self.maximumNames) {
            var type: Int32 = 0
            var bytes: UnsafePointer<UInt8>?
            let count = Int(copenssl_name_text(names, index, &type, &bytes))
            guard count > 0, let bytes else { continue }
            let text = UnsafeBufferPointer(start: bytes, count: count)
            guard text.allSatisfy({ (0x21...0x7E).contains($0) }) else { continue }
            let name = String(decoding: text, as: UTF8.self)
            if type == GEN_URI { self.uris.append(name) } else { self.dnsNames.append(name) }
        }
    }
}

/// Fired as a user inbound event when the handshake is complete, before the first byte of the peer.
public struct TLSHandshakeCompleted: Sendable, Equatable {
    /// Whom the connection is with.
    public var peer: TLSPeer
}
