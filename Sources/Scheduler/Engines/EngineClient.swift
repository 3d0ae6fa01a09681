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

    /// Sends one request whose body and answer move piece by piece.
    /// - Parameter onEnd: called once, on a thread of the engine's; must not block. An answer's body is empty here.
    func stream(_ request: StreamedRequest, onEnd: @escaping @Sendable (EngineAnswer) -> Void)

    /// The models it serves now.
    func models() async throws(AttemptFailure) -> [String]
}

/// A request to an engine whose body may come piece by piece, as does its answer. The closures are called on a thread of the
/// engine's and must not block.
public struct StreamedRequest: Sendable {
    /// Such as `/v1/chat/completions`.
    public var path: String
    /// Size of the JSON body, in bytes.
    public var contentBytes: Int
    /// Sent as `x-request-id`.
    public var requestID: String
    /// `traceparent` and `tracestate`, if the request has them.
    public var traceFields: [HTTPHeader]
    /// Largest answer, in bytes; the engine's own limit holds as well.
    public var maximumAnswerBytes: Int
    /// Resumes what `read` and `onBody` paused, and cancels the request.
    public var control: TransferControl
    /// Whether all of the body is there: then `read` is called once for each attempt to send it, and fills a buffer of its
    /// size.
    public var isWhole: Bool
    /// Fills a buffer with the next bytes of the body; nil: there are none yet.
    public var read: @Sendable (UnsafeMutableRawBufferPointer) throws -> Int?
    /// Gets what the engine says before any of the answer's body.
    public var onHead: @Sendable (EngineAnswerHead) -> Void
    /// Takes a piece of the answer's body.
    public var onBody: @Sendable (UnsafeRawBufferPointer) throws -> HTTPBodyAnswer
    /// Called when the thread has called any of the others and is about to turn to something else; not when the request
    /// has ended by then.
    public var onTurn: @Sendable () -> Void

    /// Makes a request.
    public init(
        path: String,
        contentBytes: Int,
        requestID: String,
        traceFields: [HTTPHeader] = [],
        maximumAnswerBytes: Int,
        control: TransferControl,
        isWhole: Bool,
        read: @escaping @Sendable (UnsafeMutableRawBufferPointer) throws -> Int?,
        onHead: @escaping @Sendable (EngineAnswerHead) -> Void,
        onBody: @escaping @Sendable (UnsafeRawBufferPointer) throws -> HTTPBodyAnswer,
        onTurn: @escaping @Sendable () -> Void
    ) {
        self.path = path
        self.contentBytes = contentBytes
        self.requestID = requestID
        self.traceFields = traceFields
        self.maximumAnswerBytes = maximumAnswerBytes
        self.control = control
        self.isWhole = isWhole
        self.read = read
        self.onHead = onHead
        self.onBody = onBody
        self.onTurn = onTurn
    }
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
        var request = self.post(path, .bytes(body), requestID: requestID)
        request.group = group
        self.http.start(request) { onAnswer(EngineAnswer($0)) }
    }

    /// Sends one request piece by piece; everything is called on the HTTP client's thread.
    public func stream(_ streamed: StreamedRequest, onEnd: @escaping @Sendable (EngineAnswer) -> Void) {
        let body: HTTPRequestBody =
            streamed.isWhole
            ? .copied(length: streamed.contentBytes, fill: streamed.read)
            : .stream(length: Int64(streamed.contentBytes), read: streamed.read)
        var request = self.post(streamed.path, body, requestID: streamed.requestID)
        if !streamed.traceFields.isEmpty { request.headers += streamed.traceFields }
        request.maximumResponseBytes = min(request.maximumResponseBytes, streamed.maximumAnswerBytes)
        request.control = streamed.control
        request.onHead = { status, headers in streamed.onHead(EngineAnswerHead(status: status, headers)) }
        request.onBody = streamed.onBody
        request.onTurn = streamed.onTurn
        self.http.start(request) { onEnd(EngineAnswer($0)) }
    }

    private func post(_ path: String, _ body: HTTPRequestBody, requestID: String) -> HTTPRequest {
        HTTPRequest(
            method: .post,
            url: self.address.url + path,
            headers: [
                HTTPHeader(name: "content-type", value: "application/json"),
                HTTPHeader(name: "x-request-id", value: requestID),
            ],
            body: body,
            limits: self.limits.transfer,
            maximumResponseBytes: self.limits.maximumAnswerBytes
        )
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
