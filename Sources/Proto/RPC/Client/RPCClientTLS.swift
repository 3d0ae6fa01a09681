public import ProtoTLS

/// TLS of an `RPCClient`.
public struct RPCClientTLS: Sendable {
    /// Whom the server's certificate must name.
    public enum ServerIdentity: Sendable, Hashable {
        /// The host of the endpoint, a DNS name or an address.
        case endpointHost
        /// This DNS name or address, wherever the server listens.
        case host(String)
        /// This URI, such as `spiffe://backfill/scheduler`, wherever the server listens.
        case uri(String)
    }

    /// The certificates of new connections; a context for clients.
    public var source: TLSContextSource
    /// Whom the server's certificate must name.
    public var serverIdentity: ServerIdentity

    /// Sets both.
    public init(source: TLSContextSource, serverIdentity: ServerIdentity = .endpointHost) {
        self.source = source
        self.serverIdentity = serverIdentity
    }

    /// A handler for a connection to an endpoint.
    func handler(for endpoint: RPCClient.Endpoint) throws(TLSError) -> TLSHandler {
        let context = self.source.current
        return switch self.serverIdentity {
        case .endpointHost: try TLSHandler(context: context, role: .client, serverName: endpoint.host)
        case .host(let name): try TLSHandler(context: context, role: .client, serverName: name)
        case .uri(let uri): try TLSHandler(context: context, role: .client, peerURI: uri)
        }
    }
}
