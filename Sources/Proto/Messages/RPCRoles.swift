/// Who may call a method: kinds of services, as certificates tell them apart. Declared at each method in its .proto file.
public struct RPCRoles: OptionSet, Sendable, Hashable {
    /// One bit a role.
    public var rawValue: UInt8
    /// Wraps bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Speaks for the users of the REST API, so it may name the tenant of a call.
    public static let gateway = RPCRoles(rawValue: 1 << 0)
    /// Works for one tenant.
    public static let service = RPCRoles(rawValue: 1 << 1)
    /// Runs lines of batches for the scheduler.
    public static let worker = RPCRoles(rawValue: 1 << 2)
    /// Looks after the system.
    public static let `operator` = RPCRoles(rawValue: 1 << 3)

    /// Every peer whose certificate holds, with a role or without.
    public static let everybody = RPCRoles(rawValue: 1 << 7)

    /// Whoever has them may do everything.
    public static let all = RPCRoles(rawValue: .max)
}
