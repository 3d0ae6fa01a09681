public import ProtoTLS

/// TLS of an `RPCServer`.
public struct RPCServerTLS: Sendable {
    /// The certificates of new connections; a context for servers that requires client certificates, unless everybody
    /// may do nothing.
    public var source: TLSContextSource
    /// What the certificates may do.
    public var access: RPCAccessPolicy

    /// Sets both.
    public init(source: TLSContextSource, access: RPCAccessPolicy = .standard) {
        self.source = source
        self.access = access
    }
}
