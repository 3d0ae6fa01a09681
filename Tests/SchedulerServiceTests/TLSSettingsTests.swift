import GatewayServer
import ProtoMessages
import ProtoRPC
import ProtoTLS
import SchedulerService
import Settings
import Testing

/// How TLS is configured, and that what would be open to a network without it is refused (design section 3).
struct TLSSettingsTests {
    private func scheduler(_ arguments: String...) throws(SettingsError) -> SchedulerConfiguration {
        try SchedulerConfiguration(self.read(SchedulerSettings.schema, ["--data", "/d"] + arguments))
    }

    private func gateway(_ arguments: String...) throws(SettingsError) -> GatewayConfiguration {
        try GatewayConfiguration(self.read(GatewaySettings.schema, arguments))
    }

    private func read(_ schema: SettingsSchema, _ arguments: [String]) throws(SettingsError) -> SettingsValues {
        try schema.read(arguments: arguments, environment: [:]) { (_) throws(SettingsError) in "" }
    }

    private func refusal<Value>(_ body: () throws -> Value) -> String {
        do {
            _ = try body()
            return "none"
        } catch {
            guard let error = error as? SettingsError, case .refused(let text) = error else { return "\(error)" }
            return text
        }
    }

    @Test func aSchedulerIsGivenCertificatesAndRules() throws {
        let configuration = try self.scheduler(
            "--listen=0.0.0.0:1",
            "--tls-certificate=c",
            "--tls-key=k",
            "--tls-client-ca=a",
            "--tls-crl=r",
            "--access=spiffe://x/y=service tenant=t classes=flex"
        )
        var tls = TLSConfiguration.server(identity: .init(chain: "c", key: "k"), clientTrust: .file("a"))
        tls.applicationProtocols = ["ttrpc/1.2"]
        tls.revocationLists = "r"
        #expect(configuration.tls == tls)
        let rule = RPCAccessRule(name: "spiffe://x/y", role: .service, tenant: "t", requestClasses: [.flex])
        #expect(configuration.access == RPCAccessPolicy(rules: [rule]))
        let standard = try self.scheduler("--tls-certificate=c", "--tls-key=k", "--tls-client-ca=a")
        #expect(standard.access == .standard)
    }

    @Test func aSchedulerWithoutTLSServesThisMachineAloneUnlessAFlagSaysSo() throws {
        #expect(try self.scheduler("--listen=127.0.0.1:1").tls == nil)
        #expect(self.refusal { try self.scheduler("--listen=0.0.0.0:1") }.contains("--allow-plaintext"))
        #expect(try self.scheduler("--listen=0.0.0.0:1", "--allow-plaintext").tls == nil)
    }

    @Test(arguments: [
        (["--tls-certificate=c", "--tls-client-ca=a"], "--tls-key FILE is required"),
        (["--tls-certificate=c", "--tls-key=k"], "--tls-client-ca FILE is required"),
        (["--tls-key=k"], "--tls-key needs --tls-certificate"),
        (["--tls-client-ca=a"], "--tls-client-ca needs --tls-certificate"),
        (["--tls-crl=a"], "--tls-crl needs --tls-certificate"),
        (["--access=a=gateway"], "--access needs --tls-certificate"),
        (["--access=a=king"], "'king' is no role"),
    ])
    func halfAConfigurationIsRefused(arguments: [String], reason: String) throws {
        let text = self.refusal {
            try SchedulerConfiguration(self.read(SchedulerSettings.schema, ["--data", "/d"] + arguments))
        }
        #expect(text.contains(reason), "\(text)")
    }

    @Test func aGatewayIsGivenCertificatesForBothSides() throws {
        let configuration = try self.gateway(
            "--tls-certificate=c",
            "--tls-key=k",
            "--tls-minimum-version=1.2",
            "--scheduler=10.0.0.1:1",
            "--scheduler-ca=a",
            "--scheduler-certificate=sc",
            "--scheduler-key=sk",
            "--scheduler-crl=r",
            "--scheduler-name=spiffe://backfill/scheduler"
        )
        var https = TLSConfiguration.server(identity: .init(chain: "c", key: "k"))
        https.minimumVersion = .tls12
        https.applicationProtocols = ["http/1.1"]
        #expect(configuration.tls == https)
        var rpc = TLSConfiguration.client(trust: .file("a"), identity: .init(chain: "sc", key: "sk"))
        rpc.applicationProtocols = ["ttrpc/1.2"]
        rpc.revocationLists = "r"
        #expect(configuration.schedulerTLS == rpc)
        #expect(configuration.schedulerIdentity == .uri("spiffe://backfill/scheduler"))
        #expect(try self.gateway("--tls-certificate=c", "--tls-key=k").tls?.minimumVersion == .tls13)
    }

    @Test(arguments: [
        (["--scheduler=10.0.0.1:1"], "--allow-plaintext"), (["--tls-key=k"], "--tls-key needs --tls-certificate"),
        (["--tls-certificate=k"], "--tls-key FILE is required"),
        (["--scheduler-ca=a"], "--scheduler-certificate FILE is required"),
        (["--scheduler-key=a"], "--scheduler-key needs --scheduler-ca"),
        (["--scheduler-name=a"], "--scheduler-name needs --scheduler-ca"),
        (["--tls-minimum-version=1.1"], "give 1.2 or 1.3"),
    ])
    func aGatewayRefusesHalfAConfigurationAndPlaintextToOtherMachines(arguments: [String], reason: String) throws {
        let text = self.refusal { try GatewayConfiguration(self.read(GatewaySettings.schema, arguments)) }
        #expect(text.contains(reason), "\(text)")
    }

    @Test func aGatewaySpeaksPlaintextWithOtherMachinesIfAFlagSaysSo() throws {
        #expect(try self.gateway("--scheduler=10.0.0.1:1", "--allow-plaintext").schedulerTLS == nil)
    }
}
