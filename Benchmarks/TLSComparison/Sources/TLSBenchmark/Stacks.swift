import NIOCore
import NIOSSL
import ProtoTLS

/// One implementation, as handlers for the two ends of a connection.
struct Stack: Sendable {
    var name: String
    var server: @Sendable () throws -> [any ChannelHandler]
    var client: @Sendable () throws -> [any ChannelHandler]
}

extension Stack {
    static let plaintext = Stack(name: "plaintext", server: { [] }, client: { [] })

    /// This project's handler over the system's libssl.
    static func libssl(certificates: String, mutual: Bool, resumes: Bool) throws -> Stack {
        let trust = ProtoTLS.TLSConfiguration.Trust.file(certificates + "/ca.pem")
        func identity(_ name: String) -> ProtoTLS.TLSConfiguration.Identity {
            .init(chain: "\(certificates)/\(name).pem", key: "\(certificates)/\(name).key")
        }
        var server = ProtoTLS.TLSConfiguration.server(
            identity: identity("scheduler"),
            clientTrust: mutual ? trust : nil
        )
        server.resumesSessions = resumes
        var client = ProtoTLS.TLSConfiguration.client(trust: trust, identity: mutual ? identity("gateway") : nil)
        client.resumesSessions = resumes
        let serverContext = try TLSContext(server)
        let clientContext = try TLSContext(client)
        return Stack(
            name: "libssl",
            server: { [try TLSHandler(context: serverContext, role: .server)] },
            client: { [try TLSHandler(context: clientContext, role: .client, serverName: "localhost")] }
        )
    }

    /// swift-nio-ssl over its BoringSSL. It resumes no TLS 1.3 sessions as a client.
    static func nioSSL(certificates: String, mutual: Bool) throws -> Stack {
        func chain(_ name: String) throws -> [NIOSSLCertificateSource] {
            try NIOSSLCertificate.fromPEMFile("\(certificates)/\(name).pem").map { .certificate($0) }
        }
        func key(_ name: String) throws -> NIOSSLPrivateKeySource {
            .privateKey(try NIOSSLPrivateKey(file: "\(certificates)/\(name).key", format: .pem))
        }
        var server = NIOSSL.TLSConfiguration.makeServerConfiguration(
            certificateChain: try chain("scheduler"),
            privateKey: try key("scheduler")
        )
        var client = NIOSSL.TLSConfiguration.makeClientConfiguration()
        client.trustRoots = .file(certificates + "/ca.pem")
        if mutual {
            server.certificateVerification = .noHostnameVerification
            server.trustRoots = .file(certificates + "/ca.pem")
            client.certificateChain = try chain("gateway")
            client.privateKey = try key("gateway")
        }
        server.minimumTLSVersion = .tlsv13
        client.minimumTLSVersion = .tlsv13
        let serverContext = try NIOSSLContext(configuration: server)
        let clientContext = try NIOSSLContext(configuration: client)
        return Stack(
            name: "nio-ssl",
            server: { [NIOSSLServerHandler(context: serverContext)] },
            client: { [try NIOSSLClientHandler(context: clientContext, serverHostname: "localhost")] }
        )
    }
}
