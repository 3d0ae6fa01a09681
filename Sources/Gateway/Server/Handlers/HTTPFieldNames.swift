import HTTPTypes

extension HTTPField.Name {
    /// Names a request in answers and logs (A9-06).
    static let requestID = Self.known("x-request-id")
    /// Names an operation that must happen once (A2-10).
    static let idempotencyKey = Self.known("idempotency-key")
    /// The hosted service's name for a tenant.
    static let organization = Self.known("openai-organization")
    /// A part of a tenant.
    static let project = Self.known("openai-project")

    /// Says that a batch still runs whose results these are.
    static let resultsIncomplete = Self.known("x-backfill-incomplete")
    /// As what an online request was treated (A10-06).
    static let serviceTier = Self.known("x-backfill-service-tier")
    /// Milliseconds until the answer began (A9-07).
    static let processingMilliseconds = Self.known("openai-processing-ms")
    /// Asks proxies to pass an answer on as it comes.
    static let accelBuffering = Self.known("x-accel-buffering")

    /// A name that is a token, as all names above are.
    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is no header name") }
        return name
    }
}
