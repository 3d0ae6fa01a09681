import ProtoMessages
import ProtoTLS

/// Which certificates have which roles. A certificate that no rule names can call the `Session` service alone.
public struct RPCAccessPolicy: Sendable, Hashable {
    /// The rules; the first that fits counts.
    public var rules: [RPCAccessRule]

    /// Takes rules.
    public init(rules: [RPCAccessRule]) {
        self.rules = rules
    }

    /// The names that `deploy/certificates.sh` gives: `spiffe://backfill/gateway`, `spiffe://backfill/service/TENANT`,
    /// `spiffe://backfill/worker/NAME` and `spiffe://backfill/operator`.
    public static let standard = RPCAccessPolicy(rules: [
        RPCAccessRule(name: "spiffe://backfill/gateway", role: .gateway),
        RPCAccessRule(name: "spiffe://backfill/service/*", role: .service),
        RPCAccessRule(name: "spiffe://backfill/worker/*", role: .worker),
        RPCAccessRule(name: "spiffe://backfill/operator", role: .operator),
    ])

    /// Who a peer is.
    func caller(of peer: TLSPeer) -> RPCCaller {
        guard let certificate = peer.certificate else {
            return RPCCaller(name: "a peer without certificate", roles: [])
        }
        for rule in self.rules {
            if let caller = rule.caller(of: certificate) { return caller }
        }
        let name = (certificate.uris + certificate.dnsNames).first ?? "a certificate without names"
        return RPCCaller(name: name, roles: .everybody)
    }
}
