/// Who owns what.
public struct Ownership: Sendable, Equatable {
    /// Owners whose lease has not ended.
    public var owners: Set<String>
    /// Their claims: owners by key.
    public var claims: [String: String]

    /// Makes a picture.
    public init(owners: Set<String>, claims: [String: String]) {
        self.owners = owners
        self.claims = claims
    }
}

/// What schedulers claim.
public enum ClaimKey {
    /// The right to clean up; one scheduler has it.
    public static let sweeper = "sweeper"

    /// The right to run a batch.
    public static func batch(_ id: String) -> String { "batch/" + id }

    /// The right to send batch lines to the engines of a model.
    public static func pool(_ model: String) -> String { "pool/" + model }
}
