import Logging

/// One line a request, without payloads, queries or header values other than the request id.
struct AccessLog: Sendable {
    /// Longest path written.
    private static let maximumPathBytes = 256

    let logger: Logger

    func write(method: String, path: String, status: Int, bytes: Int, duration: Duration, requestID: String) {
        self.logger.info(
            "request",
            metadata: [
                "method": "\(method)",
                "path": "\(path.prefix(Self.maximumPathBytes))",
                "status": "\(status)",
                "bytes": "\(bytes)",
                "milliseconds": "\(duration / .milliseconds(1))",
                "request_id": "\(requestID)",
            ]
        )
    }
}
