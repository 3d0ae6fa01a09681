public import Settings

/// The limits of all tenants.
///
/// Gateways and schedulers read the same file. A gateway keeps what is counted by the minute and at a time, of which each
/// gateway has its own count. A scheduler keeps what has to be exact over all gateways and holds for internal services as
/// well, which reach it without a gateway: so limits do not travel with calls, where a caller could leave them out.
public struct LimitsTable: Sendable, Equatable {
    /// Most tenants, and most groups, of a file.
    public static let maximumNames = 10_000

    private var tenants: [String: TenantLimits] = [:]
    private var others = TenantLimits()

    /// No limits for anybody.
    public init() {}

    /// Reads a file of limits:
    ///
    /// ```yaml
    /// groups:
    ///   standard: {requests_per_minute: 600, batches_per_hour: 2000}
    /// tenants:
    ///   finance: standard
    ///   reports: {requests_per_minute: 60}
    /// default: standard
    /// ```
    ///
    /// - Throws: what is wrong, with its line. An empty file is refused, since that is what one looks like which is being
    ///   written.
    public init(_ text: String, path: String) throws(SettingsError) {
        let document = try StrictMapping.document(text, path: path, known: ["groups", "tenants", "default"])
        guard !document.names.isEmpty else { throw .refused("\(path): there is nothing in it") }
        var groups: [String: TenantLimits] = [:]
        if let mapping = try Self.names("groups", in: document) {
            for name in mapping.names { groups[name] = try Self.limits(name, of: mapping, groups: [:]) }
        }
        if let mapping = try Self.names("tenants", in: document) {
            for name in mapping.names { self.tenants[name] = try Self.limits(name, of: mapping, groups: groups) }
        }
        if document.names.contains("default") {
            self.others = try Self.limits("default", of: document, groups: groups)
        }
    }

    /// The limits of a tenant.
    public subscript(tenant: String) -> TenantLimits {
        self.tenants[tenant] ?? self.others
    }

    private static func names(
        _ key: String,
        in document: StrictMapping
    ) throws(SettingsError) -> StrictMapping? {
        let mapping = try document.mapping(key, known: nil)
        guard (mapping?.names.count ?? 0) <= Self.maximumNames else {
            throw document.refused(key, "takes at most \(Self.maximumNames) names")
        }
        return mapping
    }

    /// Limits, or the name of a group.
    private static func limits(
        _ name: String,
        of mapping: StrictMapping,
        groups: [String: TenantLimits]
    ) throws(SettingsError) -> TenantLimits {
        if let limits = try mapping.isMapping(name) ? mapping.mapping(name, known: TenantLimits.fields) : nil {
            return try TenantLimits(limits)
        }
        let group = try mapping.required(name)
        guard let limits = groups[group] else {
            let nearest = NearestName.find(group, among: Array(groups.keys)).map { "; did you mean \($0)?" } ?? ""
            throw mapping.refused(name, "takes limits or the name of a group, which this is not\(nearest)")
        }
        return limits
    }
}
