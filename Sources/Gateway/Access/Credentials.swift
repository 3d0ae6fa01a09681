public import GatewayAPI

/// What a request says about who makes it.
public struct Credentials: Sendable, Equatable {
    /// `Authorization`.
    public var authorization: String?
    /// `OpenAI-Organization`.
    public var organization: String?
    /// `OpenAI-Project`.
    public var project: String?

    /// Makes credentials.
    public init(authorization: String? = nil, organization: String? = nil, project: String? = nil) {
        self.authorization = authorization
        self.organization = organization
        self.project = project
    }
}

extension KeyTable {
    /// Who makes a request.
    ///
    /// The header `OpenAI-Organization` is the key's tenant if it is there, and `OpenAI-Project` its project; with a key
    /// that is bound to none, the header chooses one.
    ///
    /// - Throws: 401 with `invalid_api_key`, `mismatched_organization` or `mismatched_project`, as the hosted service.
    public func caller(_ credentials: Credentials, at unixSeconds: Int64) throws(APIError) -> Caller {
        let entry = try self.entry(credentials, at: unixSeconds)
        if let organization = credentials.organization, organization != entry.tenant {
            throw .unauthorized(
                "The OpenAI-Organization header is not the API key's tenant: leave it out or correct it.",
                code: "mismatched_organization"
            )
        }
        var caller = Caller(tenant: entry.tenant, project: entry.project, keyName: entry.name)
        if let project = credentials.project {
            guard project == entry.project ?? project, AccessName.isValid(project) else {
                throw .unauthorized(
                    "The OpenAI-Project header is not the API key's project: leave it out or correct it.",
                    code: "mismatched_project"
                )
            }
            caller.project = project
        }
        return caller
    }

    private func entry(_ credentials: Credentials, at unixSeconds: Int64) throws(APIError) -> KeyEntry {
        guard let key = Self.bearer(credentials.authorization) else {
            throw .unauthorized(
                "You did not provide an API key. Send it in the Authorization header: Authorization: Bearer YOUR_KEY.",
                code: "invalid_api_key"
            )
        }
        guard key.utf8.count <= APIKey.maximumBytes, let entry = self.find(KeyDigest(of: key)) else {
            throw .unauthorized("Incorrect API key provided.", code: "invalid_api_key")
        }
        guard !entry.isExpired(at: unixSeconds) else {
            throw .unauthorized("The API key has expired: ask for a new one.", code: "invalid_api_key")
        }
        return entry
    }

    /// The token of `Bearer TOKEN` (RFC 6750); nil when there is none.
    private static func bearer(_ authorization: String?) -> Substring? {
        guard let authorization else { return nil }
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return parts[1]
    }
}

extension APIError {
    /// 401: who makes the request is not known.
    static func unauthorized(_ message: String, code: String) -> APIError {
        APIError(status: 401, message: message, code: code)
    }
}
