/// What a client asks for with a new batch, checked (A2, A1-12).
public struct BatchRequest: Sendable, Equatable {
    /// Paths a batch may be for.
    public static let endpoints = [
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/rerank",
    ]
    /// Most pairs of metadata.
    public static let maximumMetadataPairs = 16
    /// Longest key of a metadata pair, in characters (Unicode scalars).
    public static let maximumMetadataKeyLength = 64
    /// Longest value of a metadata pair, in characters (Unicode scalars).
    public static let maximumMetadataValueLength = 512
    /// Allowed life times of output files, in seconds (A2-07).
    public static let lifetimeSeconds: ClosedRange<Int64> = 3_600...2_592_000

    /// The path every line must name.
    public let endpoint: String
    /// How long the batch may take.
    public let window: CompletionWindow

    /// Checks the parts of a request that need no store.
    public init(
        endpoint: String,
        completionWindow: String,
        metadata: [String: String],
        outputLifetimeSeconds: Int64?
    ) throws(InvalidBatchRequest) {
        guard Self.endpoints.contains(endpoint) else {
            throw InvalidBatchRequest(
                param: "endpoint",
                message: "'\(endpoint)' is not a batch endpoint. Use one of: \(Self.endpoints.joined(separator: ", "))."
            )
        }
        guard let window = CompletionWindow(completionWindow) else {
            throw InvalidBatchRequest(
                param: "completion_window",
                message: "'\(completionWindow)' is not a completion window. Give a number and a unit, such as '24h', "
                    + "'90m' or '7d', between one minute and 30 days, or 'background'."
            )
        }
        try Self.check(metadata)
        if let seconds = outputLifetimeSeconds, !Self.lifetimeSeconds.contains(seconds) {
            throw InvalidBatchRequest(
                param: "output_expires_after.seconds",
                message: "\(seconds) seconds is out of range: give \(Self.lifetimeSeconds.lowerBound) to "
                    + "\(Self.lifetimeSeconds.upperBound)."
            )
        }
        self.endpoint = endpoint
        self.window = window
    }

    private static func check(_ metadata: [String: String]) throws(InvalidBatchRequest) {
        guard metadata.count <= self.maximumMetadataPairs else {
            throw InvalidBatchRequest(
                param: "metadata",
                message: "metadata has \(metadata.count) pairs; at most \(self.maximumMetadataPairs) are kept."
            )
        }
        for (key, value) in metadata {
            guard key.unicodeScalars.count <= self.maximumMetadataKeyLength else {
                throw InvalidBatchRequest(
                    param: "metadata",
                    message: "A metadata key is longer than \(self.maximumMetadataKeyLength) characters."
                )
            }
            guard value.unicodeScalars.count <= self.maximumMetadataValueLength else {
                throw InvalidBatchRequest(
                    param: "metadata.\(key)",
                    message: "A metadata value is longer than \(self.maximumMetadataValueLength) characters."
                )
            }
        }
    }
}

/// Why a request for a batch is refused.
public struct InvalidBatchRequest: Error, Sendable, Equatable {
    /// The field at fault, in the REST API's spelling.
    public var param: String
    /// For people.
    public var message: String

    /// Makes a refusal.
    public init(param: String, message: String) {
        self.param = param
        self.message = message
    }
}
