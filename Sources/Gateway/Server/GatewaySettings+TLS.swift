import ProtoRPC
import ProtoTLS
import Settings

extension GatewaySettings {
    static let tlsCertificate = SettingKey<String>.file(
        "tls-certificate",
        "serve HTTPS with the certificate in this file, then those up to the root; PEM, reloaded when it changes"
    )
    static let tlsKey = SettingKey<String>.file("tls-key", "the certificate's private key; PEM, not encrypted")
    static let tlsMinimumVersion = SettingKey<TLSConfiguration.Version>.value(
        "tls-minimum-version",
        "VERSION",
        "oldest version of TLS that HTTPS clients may use: 1.2 or 1.3",
        default: "1.3"
    ) { (text) throws(SettingProblem) in
        switch text {
        case "1.2": .tls12
        case "1.3": .tls13
        default: throw SettingProblem("give 1.2 or 1.3")
        }
    }
    static let schedulerCA = SettingKey<String>.file(
        "scheduler-ca",
        "speak TLS with schedulers, whose certificates have to come from these authorities; PEM"
    )
    static let schedulerCertificate = SettingKey<String>.file(
        "scheduler-certificate",
        "the certificate that schedulers see, with the role gateway; PEM, reloaded when it changes"
    )
    static let schedulerKey = SettingKey<String>.file("scheduler-key", "its private key; PEM, not encrypted")
    static let schedulerCRL = SettingKey<String>.file(
        "scheduler-crl",
        "revocation lists, one for each authority in a scheduler's chain; PEM"
    )
    static let schedulerName = SettingKey<RPCClientTLS.ServerIdentity>.value(
        "scheduler-name",
        "NAME",
        "what a scheduler's certificate has to name, a host or a URI such as spiffe://backfill/scheduler; "
            + "default: the host of --scheduler",
        default: ""
    ) { (text) throws(SettingProblem) in
        guard !text.isEmpty else { throw SettingProblem("give a host or a URI") }
        return text.contains("://") ? .uri(text) : .host(text)
    }
    static let allowPlaintext = SettingKey<Bool>.flag(
        "allow-plaintext",
        "speak with schedulers on other machines without TLS"
    )

    /// Those about TLS.
    static let tls = [
        Self.tlsCertificate.erased, Self.tlsKey.erased, Self.tlsMinimumVersion.erased, Self.schedulerCA.erased,
        Self.schedulerCertificate.erased, Self.schedulerKey.erased, Self.schedulerCRL.erased, Self.schedulerName.erased,
        Self.allowPlaintext.erased,
    ]
}

extension GatewayConfiguration {
    mutating func takeTLS(_ values: SettingsValues) throws(SettingsError) {
        guard let certificate = values[GatewaySettings.tlsCertificate] else {
            guard values[GatewaySettings.tlsKey] == nil else { throw .refused("--tls-key needs --tls-certificate") }
            return
        }
        let key = try values.required(GatewaySettings.tlsKey)
        var tls = TLSConfiguration.server(identity: .init(chain: certificate, key: key))
        tls.minimumVersion = try values.required(GatewaySettings.tlsMinimumVersion)
        tls.applicationProtocols = ["http/1.1"]
        self.tls = tls
    }

    mutating func takeSchedulerTLS(_ values: SettingsValues) throws(SettingsError) {
        guard let trust = values[GatewaySettings.schedulerCA] else {
            try self.checkPlaintext(values)
            return
        }
        let certificate = try values.required(GatewaySettings.schedulerCertificate)
        let key = try values.required(GatewaySettings.schedulerKey)
        var tls = TLSConfiguration.client(trust: .file(trust), identity: .init(chain: certificate, key: key))
        tls.applicationProtocols = [RPCProtocol.alpn]
        tls.revocationLists = values[GatewaySettings.schedulerCRL]
        self.schedulerTLS = tls
        self.schedulerIdentity = values[GatewaySettings.schedulerName] ?? .endpointHost
    }

    private func checkPlaintext(_ values: SettingsValues) throws(SettingsError) {
        let files = [GatewaySettings.schedulerCertificate, GatewaySettings.schedulerKey, GatewaySettings.schedulerCRL]
        for key in files where values[key] != nil {
            throw .refused("--\(key.name) needs --scheduler-ca")
        }
        guard values[GatewaySettings.schedulerName] == nil else {
            throw .refused("--scheduler-name needs --scheduler-ca")
        }
        guard values[GatewaySettings.allowPlaintext] != true else { return }
        for scheduler in self.schedulers
        where !ListenAddress(host: scheduler.host, port: scheduler.port).isLoopback {
            throw .refused(
                "--scheduler \(scheduler): without TLS only schedulers on this machine are spoken with; give "
                    + "--scheduler-ca, --scheduler-certificate and --scheduler-key, or --allow-plaintext"
            )
        }
    }
}
