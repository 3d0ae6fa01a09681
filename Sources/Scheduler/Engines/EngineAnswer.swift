import CurlHTTP
public import SchedulerCore

/// What came back.
public enum EngineAnswer: Sendable {
    /// A whole HTTP answer of any status.
    case answered(EngineResponse)
    /// No whole answer.
    case failed(AttemptFailure)
    /// The caller cancelled it.
    case cancelled

    init(_ result: Result<HTTPResponse, HTTPTransferError>) {
        switch result {
        case .success(let response): self = .answered(EngineResponse(response))
        case .failure(let error) where error.code == .cancelled || error.code == .shutDown: self = .cancelled
        case .failure(let error): self = .failed(AttemptFailure(error))
        }
    }
}

/// An HTTP answer of an engine.
public struct EngineResponse: Sendable {
    /// HTTP status.
    public var status: Int
    /// Its Retry-After in milliseconds, if it sent one in seconds or as a date.
    public var retryAfterMilliseconds: Int64?
    /// Its own id of the request; empty when it sent none.
    public var requestID: String
    /// The body as it came.
    public var body: [UInt8]

    /// Makes an answer.
    public init(status: Int, retryAfterMilliseconds: Int64? = nil, requestID: String = "", body: [UInt8]) {
        self.status = status
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.requestID = requestID
        self.body = body
    }

    init(_ response: HTTPResponse) {
        self.status = response.status
        self.body = response.body
        self.requestID = response.headers["x-request-id"] ?? ""
        // Only answers that ask for patience are worth the look-up.
        self.retryAfterMilliseconds =
            response.status == 429 || response.status == 503 ? response.headers.retryAfterMilliseconds : nil
    }
}

/// What an engine says before the body of its answer.
public struct EngineAnswerHead: Sendable, Equatable {
    /// HTTP status.
    public var status: Int
    /// `Content-Type`; empty when there is none.
    public var contentType: String
    /// Its Retry-After in milliseconds, of an answer that is not a success.
    public var retryAfterMilliseconds: Int64?
    /// Size of the body in bytes; nil: known at its end only.
    public var contentBytes: Int?

    /// Makes a head.
    public init(
        status: Int,
        contentType: String,
        retryAfterMilliseconds: Int64? = nil,
        contentBytes: Int? = nil
    ) {
        self.status = status
        self.contentType = contentType
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.contentBytes = contentBytes
    }

    init(status: Int, _ headers: HTTPResponseHeaders) {
        self.status = status
        self.contentType = headers["content-type"] ?? ""
        self.retryAfterMilliseconds = status >= 400 ? headers.retryAfterMilliseconds : nil
        self.contentBytes = headers.contentLength
    }
}

extension HTTPResponseHeaders {
    /// Longest wait that is taken over: a day.
    private static let maximumRetryAfterSeconds: Int64 = 86_400

    /// Retry-After in seconds, or as a date (RFC 9110, 10.2.3); nil when it is neither.
    fileprivate var retryAfterMilliseconds: Int64? {
        self["retry-after"].flatMap { Int64($0) ?? HTTPDate.secondsUntil($0) }
            .map { min(max($0, 0), Self.maximumRetryAfterSeconds) * 1_000 }
    }
}

extension AttemptFailure {
    init(_ error: HTTPTransferError) {
        let kind: Kind =
            switch error.code {
            case .resolve, .connect, .tls, .timeout(.connect): .unreachable
            case .timeout: .timedOut
            case .responseTooLarge: .answerTooLarge
            case .invalidRequest: .unsendable
            default: .broken
            }
        self.init(kind: kind, mayHaveRun: error.mayHaveBeenSent, message: error.message)
    }
}
