import ProtoTLS
import TLSTestSupport

@testable import ProtoRPC

/// Mutual TLS between a server and clients, with the tests' certificates.
struct SecurePeers {
    let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    func server(
        _ name: String = "scheduler",
        revocationLists: String? = nil,
        limits: RPCServerLimits = RPCServerLimits()
    ) throws -> RPCServerConfiguration {
        var tls = TLSConfiguration.server(
            identity: self.certificates.identity(name),
            clientTrust: self.certificates.trust
        )
        tls.applicationProtocols = [RPCProtocol.alpn]
        tls.revocationLists = revocationLists.map { self.certificates.path($0) }
        let source = try TLSContextSource(tls)
        return RPCServerConfiguration(tls: RPCServerTLS(source: source), limits: limits)
    }

    func client(
        _ name: String? = "gateway",
        of server: TestServer,
        identity: RPCClientTLS.ServerIdentity = .host("localhost")
    ) throws -> RPCClientConfiguration {
        let shown = name.map { self.certificates.identity($0) }
        var tls = TLSConfiguration.client(trust: self.certificates.trust, identity: shown)
        tls.applicationProtocols = [RPCProtocol.alpn]
        var configuration = patientClient(of: [server.endpoint])
        configuration.tls = RPCClientTLS(source: try TLSContextSource(tls), serverIdentity: identity)
        return configuration
    }
}
