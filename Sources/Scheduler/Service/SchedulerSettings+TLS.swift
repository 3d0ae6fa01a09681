import ProtoRPC
import ProtoTLS
import Settings

extension SchedulerSettings {
    static let tlsCertificate = SettingKey<String>.file(
        "tls-certificate",
        "serve RPC over TLS 1.3 with the certificate in this file, then those up to the root; PEM, reloaded when it changes"
    )
    static let tlsKey = SettingKey<String>.file("tls-key", "the certificate's private key; PEM, not encrypted")
    static let tlsClientCA = SettingKey<String>.file(
        "tls-client-ca",
        "authorities of client certificates, which every client must show; PEM"
    )
    static let tlsCRL = SettingKey<String>.file(
        "tls-crl",
        "revocation lists, one for each authority in a client's chain; PEM"
    )
    static let access = SettingKey<[RPCAccessRule]>.list(
        "access",
        "'NAME=ROLE [tenant=T] [classes=C+C]'",
        "what a client certificate may do: its URI or DNS name, then gateway, service, worker or operator; "
            + "default: those that deploy/certificates.sh makes"
    ) { (text) throws(SettingProblem) in
        do throws(RPCAccessRule.ParsingError) {
            return try RPCAccessRule(parsing: text)
        } catch {
            throw SettingProblem(error.message)
        }
    }
    static let allowPlaintext = SettingKey<Bool>.flag(
        "allow-plaintext",
        "serve RPC without TLS on addresses that other machines reach; every client may do everything"
    )

    /// Those about TLS.
    static let tls = [
        Self.tlsCertificate.erased, Self.tlsKey.erased, Self.tlsClientCA.erased, Self.tlsCRL.erased, Self.access.erased,
        Self.allowPlaintext.erased,
    ]
}

extension SchedulerConfiguration {
    /// TLS is mutual: roles come from certificates.
    mutating func takeTLS(_ values: SettingsValues) throws(SettingsError) {
        if let certificate = values[SchedulerSettings.tlsCertificate] {
            var tls = TLSConfiguration.server(
                identity: .init(chain: certificate, key: try values.required(SchedulerSettings.tlsKey)),
                clientTrust: .file(try values.required(SchedulerSettings.tlsClientCA))
            )
            tls.applicationProtocols = [RPCProtocol.alpn]
            tls.revocationLists = values[SchedulerSettings.tlsCRL]
            self.tls = tls
            if let rules = values[SchedulerSettings.access], !rules.isEmpty {
                self.access = RPCAccessPolicy(rules: rules)
            }
            return
        }
        try Self.refuseWithoutCertificate(values)
        guard self.listen.isLoopback || values[SchedulerSettings.allowPlaintext] == true else {
            throw .refused(
                "--listen \(self.listen): without TLS only loopback addresses are served; give --tls-certificate, "
                    + "--tls-key and --tls-client-ca, or --allow-plaintext to serve it all the same"
            )
        }
    }

    private static func refuseWithoutCertificate(_ values: SettingsValues) throws(SettingsError) {
        let files = [SchedulerSettings.tlsKey, SchedulerSettings.tlsClientCA, SchedulerSettings.tlsCRL]
        for key in files where values[key] != nil {
            throw .refused("--\(key.name) needs --tls-certificate")
        }
        if values[SchedulerSettings.access]?.isEmpty == false {
            throw .refused("--access needs --tls-certificate: without TLS there are no certificates to name")
        }
    }
}
