public import ProtoMessages
import ProtoTLS

/// Gives a role to the certificates with a name.
///
/// As text it is `NAME=ROLE [tenant=TENANT] [classes=CLASS+CLASS...]`, such as
/// `spiffe://backfill/service/reports=service tenant=reports classes=flex+batch`.
public struct RPCAccessRule: Sendable, Hashable {
    /// A URI or DNS name of the certificate. A `/*` at the end stands for one more part of a path.
    public var name: String
    /// The one role.
    public var role: RPCRoles
    /// For services: their tenant; nil: the part that the `*` of the name stands for.
    public var tenant: String?
    /// For services: the classes of requests they may send; nil: all.
    public var requestClasses: Set<RequestClass>?

    /// Makes a rule.
    public init(name: String, role: RPCRoles, tenant: String? = nil, requestClasses: Set<RequestClass>? = nil) {
        self.name = name
        self.role = role
        self.tenant = tenant
        self.requestClasses = requestClasses
    }

    /// The caller, if a name of its certificate is this rule's.
    func caller(of certificate: TLSPeerCertificate) -> RPCCaller? {
        for name in certificate.uris + certificate.dnsNames {
            guard let part = self.match(name) else { continue }
            let tenant = self.role == .service ? self.tenant ?? part : nil
            return RPCCaller(
                name: name,
                roles: [self.role, .everybody],
                tenant: tenant,
                requestClasses: self.requestClasses
            )
        }
        return nil
    }

    /// What the `*` stands for, empty if there is none; nil: another name.
    private func match(_ name: String) -> String? {
        guard self.name.hasSuffix("/*") else { return name == self.name ? "" : nil }
        let prefix = self.name.dropLast()
        guard name.hasPrefix(prefix) else { return nil }
        let part = name.dropFirst(prefix.count)
        return part.isEmpty || part.contains("/") ? nil : String(part)
    }
}

extension RPCAccessRule {
    private static let roles: [String: RPCRoles] = [
        "gateway": .gateway, "service": .service, "worker": .worker, "operator": .operator,
    ]
    private static let classes: [String: RequestClass] = ["online": .online, "flex": .flex, "batch": .batch]

    /// What is wrong with a rule's text.
    public struct ParsingError: Error, Sendable, Equatable {
        /// For people.
        public var message: String
    }

    /// Reads a rule.
    public init(parsing text: String) throws(ParsingError) {
        let words = text.split(separator: " ").map(String.init)
        let parts = words.first?.split(separator: "=", maxSplits: 1).map(String.init) ?? []
        guard parts.count == 2 else {
            throw ParsingError(message: "'\(text)' is not NAME=ROLE, such as spiffe://backfill/gateway=gateway")
        }
        guard let role = Self.roles[parts[1]] else {
            throw ParsingError(message: "'\(parts[1])' is no role: give gateway, service, worker or operator")
        }
        self.init(name: parts[0], role: role)
        for word in words.dropFirst() {
            try self.take(word)
        }
        guard role != .service || self.tenant != nil || self.name.hasSuffix("/*") else {
            throw ParsingError(message: "'\(text)' needs the service's tenant: add tenant=NAME")
        }
    }

    private mutating func take(_ word: String) throws(ParsingError) {
        guard self.role == .service else {
            throw ParsingError(message: "'\(word)' is for services only")
        }
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        switch (parts.first, parts.count) {
        case ("tenant", 2): self.tenant = parts[1]
        case ("classes", 2): self.requestClasses = try Self.readClasses(parts[1])
        default: throw ParsingError(message: "'\(word)' is neither tenant=NAME nor classes=CLASS+CLASS")
        }
    }

    private static func readClasses(_ text: String) throws(ParsingError) -> Set<RequestClass> {
        var found: Set<RequestClass> = []
        for name in text.split(separator: "+", omittingEmptySubsequences: false) {
            guard let known = Self.classes[String(name)] else {
                throw ParsingError(message: "'\(name)' is no class: give online, flex or batch")
            }
            found.insert(known)
        }
        return found
    }
}
