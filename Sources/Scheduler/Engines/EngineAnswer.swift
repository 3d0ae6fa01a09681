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
            response.status == 429 || response.status == 503
            ? response.headers["retry-after"].flatMap { Self.milliseconds(retryAfter: $0) } : nil
    }

    /// Seconds, or a date (RFC 9110, 10.2.3); nil when it is neither. At most a day.
    private static func milliseconds(retryAfter text: String) -> Int64? {
        (Int64(text) ?? HTTPDate.secondsUntil(text)).map { min(max($0, 0), 86_400) * 1_000 }
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
