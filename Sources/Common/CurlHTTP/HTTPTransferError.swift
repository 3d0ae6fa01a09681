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

extension HTTPTransferError {
    static let shutDown = HTTPTransferError(.shutDown, mayHaveBeenSent: true, message: "the HTTP client was shut down")

    static func cancelled(mayHaveBeenSent: Bool) -> HTTPTransferError {
        HTTPTransferError(.cancelled, mayHaveBeenSent: mayHaveBeenSent, message: "cancelled")
    }

    static func unsendable(_ part: String) -> HTTPTransferError {
        HTTPTransferError(
            .invalidRequest,
            mayHaveBeenSent: false,
            message: "the \(part) holds bytes that cannot be sent"
        )
    }

    static func timeout(_ phase: Phase, _ limits: TransferLimits, mayHaveBeenSent: Bool) -> HTTPTransferError {
        let message =
            switch phase {
            case .connect: "no connection within \(limits.connect)"
            case .firstByte: "no answer within \(limits.firstByte)"
            case .betweenBytes: "nothing more came for \(limits.betweenBytes)"
            case .total: "not finished within \(limits.total ?? .zero)"
            case .paused: "the sender of the request did not go on for \(limits.betweenBytes)"
            }
        return HTTPTransferError(.timeout(phase), mayHaveBeenSent: mayHaveBeenSent, message: message)
    }
}
