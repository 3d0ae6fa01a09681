/// Why no whole answer came.
public struct HTTPTransferError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Which limit passed.
    public enum Phase: Sendable, Equatable {
        case connect
        case firstByte
        case betweenBytes
        case total
        /// The request paused the transfer and did not resume it.
        case paused
    }

    /// What went wrong.
    public enum Code: Sendable, Equatable {
        /// The name has no address.
        case resolve
        /// Nobody accepts the connection.
        case connect
        /// The TLS handshake failed.
        case tls
        /// The connection broke while the request was sent.
        case send
        /// The connection broke before the whole answer had come.
        case receive
        /// The connection was closed without an answer.
        case emptyReply
        /// What came is not HTTP, or its header is too large.
        case malformedResponse
        /// A limit passed.
        case timeout(Phase)
        /// The answer's body is larger than the request allows.
        case responseTooLarge
        /// The request's group was cancelled.
        case cancelled
        /// The client was shut down.
        case shutDown
        /// The URL or a header field cannot be sent.
        case invalidRequest
        /// The request's own `read` or `onBody` threw.
        case callback
        /// Anything else libcurl reports.
        case other
    }

    /// What went wrong.
    public var code: Code
    /// False when certainly no byte of the request reached a server.
    public var mayHaveBeenSent: Bool
    /// For people; holds no payload.
    public var message: String

    /// Makes an error.
    public init(_ code: Code, mayHaveBeenSent: Bool, message: String) {
        self.code = code
        self.mayHaveBeenSent = mayHaveBeenSent
        self.message = message
    }

    /// The message.
    public var description: String { self.message }
}
