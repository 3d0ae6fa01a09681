public import ProtoMessages

/// Who makes a call, as the connection tells.
public struct RPCCaller: Sendable, Hashable {
    /// For logs: the name in the certificate that gave the role, or `local`.
    public var name: String
    /// What it may call.
    public var roles: RPCRoles
    /// The one tenant that it works for; nil: see `mayNameTenant`.
    public var tenant: String?
    /// The classes of requests that it may send to engines; nil: all.
    public var requestClasses: Set<RequestClass>?

    /// Makes a caller.
    public init(name: String, roles: RPCRoles, tenant: String? = nil, requestClasses: Set<RequestClass>? = nil) {
        self.name = name
        self.roles = roles
        self.tenant = tenant
        self.requestClasses = requestClasses
    }

    /// Somebody on this machine, over a connection without TLS, or in this process: may do everything.
    public static let local = RPCCaller(name: "local", roles: .all)

    /// Somebody whose connection is gone.
    static let nobody = RPCCaller(name: "nobody", roles: [])

    /// Whether nothing is refused. A certificate has one role at most.
    var mayDoEverything: Bool {
        self.roles == .all
    }

    /// Whether the tenant in a call's metadata counts.
    public var mayNameTenant: Bool {
        self.roles.contains(.gateway)
    }

    /// Whether it may send requests of a class to engines.
    public func maySend(_ requestClass: RequestClass) -> Bool {
        self.requestClasses?.contains(requestClass) ?? true
    }

    /// The tenant of a call whose metadata names `named`.
    func tenant(named: String?) -> String {
        self.tenant ?? named ?? "default"
    }

    /// Why a request is refused; nil when it is not.
    func refusal(of request: RequestEnvelope, allowed: RPCRoles) -> RPCError? {
        // Most callers need no look at the metadata.
        guard !self.mayDoEverything else { return nil }
        let tenant = request.metadata["tenant"]
        return self.refusal(method: "\(request.service)/\(request.method)", allowed: allowed, tenant: tenant)
    }

    /// Why a call is refused; nil when it is not. Whatever is not allowed is refused.
    ///
    /// - Parameters:
    ///   - allowed: the roles that the method declares. None for methods of programs that do not use roles, which only
    ///     local callers reach.
    ///   - tenant: what the call's metadata names.
    func refusal(method: String, allowed: RPCRoles, tenant: String?) -> RPCError? {
        guard !self.mayDoEverything else { return nil }
        guard !self.roles.isDisjoint(with: allowed) else {
            return .denied("\(self.name) may not call \(method)")
        }
        guard let tenant, !self.mayNameTenant, tenant != self.tenant else { return nil }
        return .denied("\(self.name) may not speak for another tenant")
    }
}

extension RPCError {
    static func denied(_ message: String) -> RPCError {
        RPCError(code: .permissionDenied, message: message)
    }
}
