public import CurlHTTP
public import SchedulerCore

/// An engine: requests can be sent to it, and it tells what it serves.
public protocol Engine: Sendable {
    /// Where it is.
    var address: EngineAddress { get }

    /// Sends one request.
    /// - Parameters:
    ///   - path: such as `/v1/chat/completions`.
    ///   - body: the JSON body, as the client wrote it.
    ///   - requestID: sent as `x-request-id`.
    ///   - group: cancelling it cancels the request.
    ///   - onAnswer: called once, on a thread of the engine's; must not block.
    func send(
        path: String,
        body: [UInt8],
        requestID: String,
        group: TransferGroup,
        onAnswer: @escaping @Sendable (EngineAnswer) -> Void
    )

    /// The models it serves now.
    func models() async throws(AttemptFailure) -> [String]
}

/// An engine that is reached over HTTP.
public struct EngineClient: Engine {
    /// Where it is.
    public let address: EngineAddress
    private let http: CurlClient
    private let limits: EngineLimits

    /// Makes a client; many engines may share one HTTP client.
    public init(address: EngineAddress, http: CurlClient, limits: EngineLimits) {
        self.address = address
        self.http = http
        self.limits = limits
    }

    /// Sends one request; `onAnswer` is called on the HTTP client's thread.
    public func send(
        path: String,
        body: [UInt8],
        requestID: String,
        group: TransferGroup,
        onAnswer: @escaping @Sendable (EngineAnswer) -> Void
    ) {
        let request = HTTPRequest(
            method: .post,
            url: self.address.url + path,
            headers: [
                HTTPHeader(name: "content-type", value: "application/json"),
                HTTPHeader(name: "x-request-id", value: requestID),
            ],
            body: .bytes(body),
            limits: self.limits.transfer,
            maximumResponseBytes: self.limits.maximumAnswerBytes,
            group: group
        )
        self.http.start(request) { result in
            switch result {
            case .success(let response): onAnswer(.answered(EngineResponse(response)))
            case .failure(let error): onAnswer(EngineAnswer(error))
            }
        }
    }

    /// The models it serves now; an engine that was given a model only has to answer.
    public func models() async throws(AttemptFailure) -> [String] {
        let request = HTTPRequest(
            method: .get,
            url: self.address.url + "/v1/models",
            limits: self.limits.health,
            maximumResponseBytes: EngineLimits.maximumModelListBytes
        )
        let response: HTTPResponse
        do throws(HTTPTransferError) {
            response = try await self.http.send(request)
        } catch {
            throw AttemptFailure(error)
        }
        if let model = self.address.model { return [model] }
        guard response.status == 200, let models = ModelList.names(in: response.body) else {
            throw AttemptFailure(
                kind: .broken,
                mayHaveRun: false,
                message: "\(request.url) answered \(response.status) and no list of models; "
                    + "give the engine as MODEL=\(self.address.url) if it has none"
            )
        }
        return models
    }
}

/// How long an engine may take (design section 5): a slow generation is not an error.
public struct EngineLimits: Sendable {
    /// Limits of a request.
    public var transfer: TransferLimits
    /// Limits of a question for its models.
    public var health: TransferLimits
    /// Largest answer in bytes.
    public var maximumAnswerBytes: Int
    /// Largest list of models in bytes.
    public static let maximumModelListBytes = 4 << 20

    /// The documented defaults: connect 5 s, first byte 600 s, between bytes 120 s, total 3,600 s; 64 MiB.
    public init(
        transfer: TransferLimits = TransferLimits(
            connect: .seconds(5),
            firstByte: .seconds(600),
            betweenBytes: .seconds(120),
            total: .seconds(3_600)
        ),
        health: TransferLimits = TransferLimits(
            connect: .seconds(2),
            firstByte: .seconds(5),
            betweenBytes: .seconds(5),
            total: .seconds(10)
        ),
        maximumAnswerBytes: Int = 64 << 20
    ) {
        self.transfer = transfer
        self.health = health
        self.maximumAnswerBytes = maximumAnswerBytes
    }
}

/// What came back.
public enum EngineAnswer: Sendable {
    /// A whole HTTP answer of any status.
    case answered(EngineResponse)
    /// No whole answer.
    case failed(AttemptFailure)
    /// The caller cancelled it.
    case cancelled

    init(_ error: HTTPTransferError) {
        switch error.code {
        case .cancelled, .shutDown: self = .cancelled
        default: self = .failed(AttemptFailure(error))
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
