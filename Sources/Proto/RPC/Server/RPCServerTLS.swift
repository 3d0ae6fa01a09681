public import ProtoTLS

/// TLS of an `RPCServer`.
public struct RPCServerTLS: Sendable {
    /// The certificates of new connections: a context for servers, which should require client certificates, since a
    /// peer without one may call nothing.
    public var source: TLSContextSource
    /// What the certificates may do.
    public var access: RPCAccessPolicy

    /// Sets both.
    public init(source: TLSContextSource, access: RPCAccessPolicy = .standard) {
        self.source = source
        self.access = access
    }
}
