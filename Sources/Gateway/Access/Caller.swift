/// Who makes a request, as its API key tells.
public struct Caller: Sendable, Hashable {
    /// Whose objects the request is about.
    public var tenant: String
    /// The one project of the tenant that it is about; nil: all of them.
    public var project: String?
    /// The key's name, for logs; nil: no keys are configured.
    public var keyName: String?

    /// Makes a caller.
    public init(tenant: String, project: String? = nil, keyName: String? = nil) {
        self.tenant = tenant
        self.project = project
        self.keyName = keyName
    }

    /// Whoever reaches a gateway without keys.
    public static let anybody = Caller(tenant: "default")
}

/// The spelling of names of tenants, projects and keys.
enum AccessName {
    /// Longest name, in bytes.
    static let maximumBytes = 64
    static let rule = "takes 1 to \(maximumBytes) letters, digits, '.', '-' and '_'"

    static func isValid(_ name: some StringProtocol) -> Bool {
        !name.isEmpty && name.utf8.count <= Self.maximumBytes
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
