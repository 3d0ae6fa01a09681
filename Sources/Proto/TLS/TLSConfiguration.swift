/// A side of a TLS connection.
public enum TLSRole: Sendable, Hashable {
    /// The one that was connected to. Shows a certificate, and may ask for one.
    case server
    /// The one that connects. Always checks the server's certificate and its name.
    case client
}

/// What certificates, versions and protocols a process uses (G6-10). Files are PEM.
public struct TLSConfiguration: Sendable, Equatable {
    /// Oldest version that is spoken.
    public enum Version: Sendable, Equatable {
        /// TLS 1.2, with forward secrecy and authenticated ciphers only. For HTTPS clients that need it.
        case tls12
        /// TLS 1.3.
        case tls13
    }

    /// What a server asks of its clients.
    public enum ClientCertificates: Sendable, Equatable {
        /// Nothing.
        case none
        /// A certificate with a chain to `trust`; a client without one is refused.
        case required
    }

    /// Whose signatures count.
    public enum Trust: Sendable, Equatable {
        /// The certificates in a file.
        case file(String)
        /// What the operating system trusts.
        case system
    }

    /// A certificate and its key.
    public struct Identity: Sendable, Equatable {
        /// The file with the certificate, then those between it and the root.
        public var chain: String
        /// The file with the private key, which must not be encrypted.
        public var key: String

        /// Names the two files, which may be one.
        public init(chain: String, key: String) {
            self.chain = chain
            self.key = key
        }
    }

    /// The sides that connections of this configuration take. At least one.
    public var roles: Set<TLSRole>
    /// What this side shows. Needed by servers, and by clients of servers that require one.
    public var identity: Identity?
    /// Whose signatures count. Needed by clients, and by servers that require client certificates.
    public var trust: Trust?
    /// A file with revocation lists, one for each issuer in a chain; without it revocation is not looked at.
    public var revocationLists: String?
    /// Oldest version that is spoken.
    public var minimumVersion = Version.tls13
    /// Application protocols, the preferred one first; each of 1 ... 255 bytes. A peer that offers none is accepted, one
    /// that offers only others is refused.
    public var applicationProtocols: [String] = []
    /// What a server asks of its clients.
    public var clientCertificates = ClientCertificates.none
    /// Whether a later connection to the same name may skip the certificates. A session lives for an hour and for as
    /// long as its context: a reload ends it.
    public var resumesSessions = true

    /// Starts from nothing; `TLSContext` says what is missing.
    public init(roles: Set<TLSRole>) {
        self.roles = roles
    }

    /// A server that shows a certificate; with `clientTrust` it requires one too.
    public static func server(identity: Identity, clientTrust: Trust? = nil) -> TLSConfiguration {
        var configuration = TLSConfiguration(roles: [.server])
        configuration.identity = identity
        configuration.trust = clientTrust
        configuration.clientCertificates = clientTrust == nil ? .none : .required
        return configuration
    }

    /// A client that trusts `trust` and shows a certificate if it has one.
    public static func client(trust: Trust, identity: Identity? = nil) -> TLSConfiguration {
        var configuration = TLSConfiguration(roles: [.client])
        configuration.trust = trust
        configuration.identity = identity
        return configuration
    }

    /// Every file that is read, for the notice of a change.
    var files: [String] {
        var files: [String] = []
        if let identity { files += [identity.chain, identity.key] }
        if case .file(let path) = self.trust { files.append(path) }
        if let revocationLists { files.append(revocationLists) }
        return files
    }

    /// What contradicts itself, before any file is read.
    func validate() throws(TLSError) {
        func require(_ condition: Bool, _ message: String) throws(TLSError) {
            guard condition else { throw TLSError(code: .configuration, message: message) }
        }
        let isMutual = self.clientCertificates == .required
        try require(!self.roles.isEmpty, "no role is given")
        try require(!self.roles.contains(.server) || self.identity != nil, "a server needs a certificate and a key")
        try require(!self.roles.contains(.client) || self.trust != nil, "a client needs roots to trust")
        try require(!isMutual || self.roles.contains(.server), "only a server can require client certificates")
        try require(!isMutual || self.trust != nil, "a server that requires client certificates needs roots to trust")
        for name in self.applicationProtocols {
            try require((1...255).contains(name.utf8.count), "an application protocol has 1 to 255 bytes")
        }
        let bytes = self.applicationProtocols.reduce(0) { $0 + 1 + $1.utf8.count }
        try require(bytes <= 65_535, "the application protocols together have at most 65,535 bytes")
    }
}
