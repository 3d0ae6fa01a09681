/// What a client of AIBrix sent beside a batch, as far as it can be done here; kept for it, and shown.
public struct AIBrixExtension: Sendable, Equatable, Codable {
    /// Longest text, in bytes.
    public static let maximumTextBytes = 256

    /// The number of the shape that it came in, as on the wire.
    public var shape: Int32
    /// The client's name for the job; empty: none.
    public var jobID: String
    /// What the client calls the model; empty: nothing.
    public var model: String
    /// Where the batch is to run; empty: nothing was said.
    public var runtimeTarget: String
    /// The client's name for what it has reserved; empty: none.
    public var provisionID: String

    /// Takes what was sent; nil when a text is too long.
    public init?(shape: Int32, jobID: String, model: String, runtimeTarget: String, provisionID: String) {
        let texts = [jobID, model, runtimeTarget, provisionID]
        guard texts.allSatisfy({ $0.utf8.count <= Self.maximumTextBytes }) else { return nil }
        self.shape = shape
        self.jobID = jobID
        self.model = model
        self.runtimeTarget = runtimeTarget
        self.provisionID = provisionID
    }
}
