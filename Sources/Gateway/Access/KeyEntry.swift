import FoundationEssentials
public import Settings

/// One key of the file of keys.
public struct KeyEntry: Sendable {
    /// Hash of the key.
    public var digest: KeyDigest
    /// Names the key in logs; no two keys of a tenant have the same.
    public var name: String
    /// Whose objects it opens.
    public var tenant: String
    /// The one project of the tenant that it opens; nil: all of them.
    public var project: String?
    /// Unix seconds from which on it is refused; nil: never.
    public var expiresAt: Int64?

    /// Makes an entry.
    ///
    /// - Throws: `refused` for a name that is not 1 to 64 letters, digits, `.`, `-` and `_`.
    public init(
        digest: KeyDigest,
        name: String,
        tenant: String,
        project: String? = nil,
        expires: String? = nil
    ) throws(SettingsError) {
        for (field, value) in [("name", name), ("tenant", tenant), ("project", project ?? "-")]
        where !AccessName.isValid(value) {
            throw .refused("'\(field)' \(AccessName.rule)")
        }
        self.digest = digest
        self.name = name
        self.tenant = tenant
        self.project = project
        guard let expires else { return }
        guard let time = Self.unixSeconds(expires) else {
            throw .refused("'expires' takes a time such as 2027-01-31T12:00:00Z or a day such as 2027-01-31, in UTC")
        }
        self.expiresAt = time
    }

    /// Whether it is refused at `unixSeconds`.
    func isExpired(at unixSeconds: Int64) -> Bool {
        self.expiresAt.map { $0 <= unixSeconds } ?? false
    }

    private static func unixSeconds(_ text: String) -> Int64? {
        let whole = text.contains("T") ? text : text + "T00:00:00Z"
        guard let date = try? Date(whole, strategy: .iso8601) else { return nil }
        return Int64(date.timeIntervalSince1970)
    }
}

extension KeyEntry {
    /// The fields of an entry, in the order in which they are written.
    static let fields = ["key", "name", "tenant", "project", "expires"]

    /// Reads an entry of a file.
    init(_ mapping: StrictMapping) throws(SettingsError) {
        guard let digest = KeyDigest(try mapping.required("key")) else {
            throw mapping.refused("key", "takes sha256: and the key's hash, as `backfill keys create` prints it")
        }
        let (name, tenant) = (try mapping.required("name"), try mapping.required("tenant"))
        let (project, expires) = (try mapping.text("project"), try mapping.text("expires"))
        do throws(SettingsError) {
            try self.init(digest: digest, name: name, tenant: tenant, project: project, expires: expires)
        } catch {
            throw .refused("\(mapping.path):\(mapping.line): \(error.message)")
        }
    }

    /// The entry as it stands in a file of keys, to be put under `keys:`.
    public func yaml(expires: String?) -> String {
        let fields = [
            ("key", self.digest.text), ("name", self.name), ("tenant", self.tenant), ("project", self.project),
            ("expires", expires),
        ]
        let lines = fields.compactMap { name, value in value.map { "\(name): \"\($0)\"" } }
        return "  - " + lines.joined(separator: "\n    ") + "\n"
    }
}
