import ProtoMessages
import ProtoTLS
import Testing

@testable import ProtoRPC

/// Roles of certificates and what they may call (design section 3): pure.
struct AccessTests {
    private func caller(
        _ name: String,
        _ rules: [String] = [],
        uris: [String] = [],
        dnsNames: [String] = []
    ) throws -> RPCCaller {
        let policy =
            rules.isEmpty
            ? .standard : RPCAccessPolicy(rules: try rules.map { try RPCAccessRule(parsing: $0) })
        let certificate = TLSPeerCertificate(uris: uris.isEmpty ? [name] : uris, dnsNames: dnsNames)
        return policy.caller(of: TLSPeer(certificate: certificate))
    }

    @Test func theStandardRulesAreTheNamesThatTheScriptGives() throws {
        #expect(try self.caller("spiffe://backfill/gateway").roles == [.gateway, .everybody])
        #expect(try self.caller("spiffe://backfill/operator").roles == [.operator, .everybody])
        #expect(try self.caller("spiffe://backfill/worker/7").roles == [.worker, .everybody])
        let service = try self.caller("spiffe://backfill/service/reports")
        #expect(service.roles == [.service, .everybody])
        #expect(service.tenant == "reports")
        #expect(service.requestClasses == nil)
    }

    @Test(arguments: [
        "spiffe://backfill/scheduler", "spiffe://backfill/gateway/more", "spiffe://backfill/gatewa",
        "spiffe://elsewhere/gateway", "spiffe://backfill/service/", "spiffe://backfill/service/a/b",
        "spiffe://backfill/service", "gateway", "",
    ])
    func aNameThatNoRuleHasGivesNoRole(name: String) throws {
        #expect(try self.caller(name).roles == .everybody)
    }

    @Test func aPeerWithoutCertificateHasNoRole() {
        let caller = RPCAccessPolicy.standard.caller(of: TLSPeer(certificate: nil))
        #expect(caller.roles == [])
        #expect(caller.refusal(method: "S/M", allowed: .everybody, tenant: nil)?.code == .permissionDenied)
    }

    @Test func rulesReadTenantsAndClassesAndTheFirstThatFitsCounts() throws {
        let rules = [
            "reports.internal=service tenant=finance classes=flex+batch", "spiffe://a/*=operator",
            "spiffe://a/b=gateway",
        ]
        let reports = try self.caller("", rules, uris: ["x"], dnsNames: ["reports.internal"])
        #expect(reports.tenant == "finance")
        #expect(reports.requestClasses == [.flex, .batch])
        #expect(reports.maySend(.batch) && !reports.maySend(.online))
        #expect(try self.caller("spiffe://a/b", rules).roles == [.operator, .everybody])
        #expect(try self.caller("spiffe://backfill/gateway", rules).roles == .everybody)
    }

    @Test(arguments: [
        ("spiffe://a/b", "is not NAME=ROLE"), ("", "is not NAME=ROLE"), ("=gateway", "is not NAME=ROLE"),
        ("a=admin", "'admin' is no role"), ("a=service", "add tenant=NAME"),
        ("a=gateway tenant=b", "for services only"), ("a=service tenant=b classes=fast", "'fast' is no class"),
        ("a=service tenant=b color=red", "neither tenant=NAME"), ("a=service tenant=", "neither tenant=NAME"),
    ])
    func aRuleThatMakesNoSenseIsRefused(text: String, reason: String) {
        let error = #expect(throws: RPCAccessRule.ParsingError.self) { try RPCAccessRule(parsing: text) }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    /// Each role against each kind of method, with and without another tenant named.
    @Test func whatIsNotAllowedIsRefused() throws {
        let gateway = try self.caller("spiffe://backfill/gateway")
        let service = try self.caller("spiffe://backfill/service/a")
        let unknown = try self.caller("spiffe://backfill/scheduler")
        let worker = try self.caller("spiffe://backfill/worker/1")
        func isAllowed(_ caller: RPCCaller, _ allowed: RPCRoles, _ tenant: String? = nil) -> Bool {
            caller.refusal(method: "S/M", allowed: allowed, tenant: tenant) == nil
        }
        #expect(isAllowed(gateway, [.gateway, .service], "a") && isAllowed(service, [.gateway, .service], "a"))
        #expect(isAllowed(service, [.service]) && !isAllowed(service, [.service], "b"))
        #expect(isAllowed(gateway, [.gateway], "b"))
        #expect(!isAllowed(gateway, [.operator]) && !isAllowed(service, [.gateway]) && !isAllowed(worker, [.service]))
        #expect(!isAllowed(worker, [.worker], "a"))
        for caller in [gateway, service, unknown, worker] {
            #expect(isAllowed(caller, .everybody))
            #expect(!isAllowed(caller, []), "a method that declares no role")
        }
        #expect(!isAllowed(unknown, [.gateway, .service, .worker, .operator]))
        #expect(isAllowed(.local, []) && isAllowed(.local, [.operator], "a"))
    }

    @Test func theTenantIsTheCallersOwnBeforeTheNamedOneBeforeTheDefault() throws {
        let service = try self.caller("spiffe://backfill/service/a")
        #expect(service.tenant(named: nil) == "a")
        #expect(try self.caller("spiffe://backfill/gateway").tenant(named: "b") == "b")
        #expect(RPCCaller.local.tenant(named: nil) == "default")
        #expect(RPCContext(metadata: RPCMetadata([("Tenant", "c")])).tenant == "c")
    }
}
