import GatewayAPI
import NIOCore
import NIOHTTP1

/// What one HTTP/1 connection does beyond parsing: refusals, 100 Continue, when to close, how long to wait.
///
/// Requests are handed on in order and answered in order by whoever is behind; this counts them.
struct HTTPConnectionStateMachine {
    /// What to do with a request's head.
    enum HeadAction: Equatable {
        /// Hand it on.
        case forward
        /// Write `100 Continue`, then hand it on.
        case forwardAndContinue
        /// Write the error and end the connection.
        case refuse(APIError)
        /// Nothing: the connection is ending.
        case drop
    }

    /// What to do when the last bytes of an answer are written.
    enum AnswerEndAction: Equatable {
        case none
        /// The next request waits for it.
        case sendContinue
        /// The next request was refused while this one was under way.
        case refuse(APIError)
        /// Close, after reading on for a while when the client is still sending.
        case close(linger: Bool)
    }

    /// What to do when the connection is checked.
    enum TickAction: Equatable {
        case none
        case close
    }

    /// How an answer has to be written.
    struct AnswerManner: Equatable {
        /// The connection ends with it.
        var closes: Bool
        /// Its client knows no chunks: a body of unknown length ends with the connection.
        var isHTTP10: Bool
    }

    private let limits: HTTPLimits
    /// Requests handed on whose answers have not ended.
    private var unanswered = 0
    /// Whether the body of the newest request is still coming.
    private var isReadingBody = false
    private var newestIsHTTP10 = false
    /// No further request is taken.
    private var isLast = false
    private var refusal: APIError?
    private var owesContinue = false
    private var closesAfterAnswer = false
    private var lingeringSince: NIODeadline?
    private var lingeredBytes = 0
    private var lastInput: NIODeadline
    private var blockedSince: NIODeadline?
    private var pace: BodyPace
    private var lastTick: NIODeadline

    init(limits: HTTPLimits, now: NIODeadline) {
        self.limits = limits
        self.lastInput = now
        self.lastTick = now
        self.pace = BodyPace(bytesPerSecond: limits.minimumBodyBytesPerSecond, period: limits.bodyRatePeriod)
    }

    // MARK: Input

    /// - Parameter keyRefusal: why the request's key is not accepted; asked for when a body would follow.
    mutating func received(
        _ request: IncomingRequest,
        keyRefusal: () -> APIError? = { nil },
        now: NIODeadline
    ) -> HeadAction {
        self.lastInput = now
        guard !self.isLast else { return .drop }
        if let error = Self.refusal(of: request, keyRefusal) {
            return self.refuse(error)
        }
        self.isReadingBody = true
        self.pace.begin()
        self.unanswered += 1
        self.newestIsHTTP10 = request.http.version.isBeforeHTTP11
        // Upgrades are not offered; what follows such a request is not read.
        self.isLast = !request.http.isKeepAlive || self.newestIsHTTP10 || request.fields.asksUpgrade
        guard request.expectsContinue else { return .forward }
        guard self.unanswered == 1 else {
            self.owesContinue = true
            return .forward
        }
        return .forwardAndContinue
    }

    /// Whether a piece of a body is handed on.
    mutating func receivedBody(bytes: Int, now: NIODeadline) -> Bool {
        self.lastInput = now
        self.pace.received(bytes: bytes)
        let isWanted = self.isReadingBody && self.unanswered > 0
        if !isWanted { self.lingeredBytes += bytes }
        return isWanted
    }

    /// Whether a body's end is handed on.
    mutating func receivedEnd(now: NIODeadline) -> Bool {
        self.lastInput = now
        let isWanted = self.isReadingBody && self.unanswered > 0
        self.isReadingBody = false
        return isWanted
    }

    /// The parser gave up. Nil: the failure is inside a body and is for its reader, who gets it now.
    mutating func failed(_ error: APIError) -> HeadAction? {
        guard !self.isLast || self.isReadingBody else { return .drop }
        if self.isReadingBody {
            self.isLast = true
            return self.unanswered > 0 ? nil : .drop
        }
        return self.refuse(error)
    }

    private mutating func refuse(_ error: APIError) -> HeadAction {
        self.isLast = true
        guard self.unanswered == 0 else {
            self.refusal = error
            return .drop
        }
        return .refuse(error)
    }

    // MARK: Output

    /// How the answer has to be whose head is being written.
    mutating func answers() -> AnswerManner {
        let isNewest = self.unanswered == 1
        self.closesAfterAnswer = isNewest && self.refusal == nil && (self.isLast || self.isReadingBody)
        if self.closesAfterAnswer { self.isLast = true }
        return AnswerManner(closes: self.closesAfterAnswer, isHTTP10: isNewest && self.newestIsHTTP10)
    }

    mutating func answerEnded(now: NIODeadline) -> AnswerEndAction {
        self.unanswered = max(0, self.unanswered - 1)
        self.lastInput = now
        if self.closesAfterAnswer {
            self.owesContinue = false
            return .close(linger: self.isReadingBody)
        }
        if self.unanswered == 0, let refusal = self.refusal.take() { return .refuse(refusal) }
        // Told to stop after the head was written, which could not say so: nothing that follows is taken.
        if self.unanswered == 0, self.isLast { return .close(linger: self.isReadingBody) }
        if self.unanswered == 1, self.owesContinue {
            self.owesContinue = false
            return .sendContinue
        }
        return .none
    }

    /// The last answer is on its way and the client may still be sending.
    mutating func lingers(now: NIODeadline) {
        self.isLast = true
        self.lingeringSince = now
    }

    /// Whether what comes is read only so that the client gets to see its answer.
    var isLingering: Bool { self.lingeringSince != nil }

    /// The server is stopping. Whether the connection closes now.
    mutating func quiesces() -> Bool {
        self.isLast = true
        return self.unanswered == 0 && self.lingeringSince == nil
    }

    mutating func writability(_ isWritable: Bool, now: NIODeadline) {
        self.blockedSince = isWritable ? nil : (self.blockedSince ?? now)
    }

    // MARK: Time

    /// How long from now the limits need not be looked at.
    var tickInterval: TimeAmount {
        let isIdle = self.unanswered == 0 && !self.isReadingBody && self.lingeringSince == nil
        let shortest = isIdle ? self.limits.headTimeout : min(self.limits.bodyTimeout, self.limits.writeTimeout)
        let most = isIdle ? TimeAmount.seconds(5) : .seconds(1)
        return max(.milliseconds(10), min(most, .nanoseconds(shortest.nanoseconds / 8)))
    }

    /// Looks whether a limit is crossed.
    ///
    /// - Parameter isReading: whether this side waits for bytes, rather than the client for it.
    mutating func tick(now: NIODeadline, isReading: Bool) -> TickAction {
        let sinceLastTick = now - self.lastTick
        self.lastTick = now
        if let since = self.lingeringSince {
            let isOver = now - since >= self.limits.lingerTimeout || self.lingeredBytes > self.limits.maximumLingerBytes
            return isOver ? .close : .none
        }
        if let since = self.blockedSince {
            return now - since >= self.limits.writeTimeout ? .close : .none
        }
        if self.isReadingBody {
            guard isReading else {
                self.lastInput = now
                return .none
            }
            let isTooSlow = self.pace.isTooSlow(after: sinceLastTick)
            return isTooSlow || now - self.lastInput >= self.limits.bodyTimeout ? .close : .none
        }
        guard self.unanswered == 0 else { return .none }
        return now - self.lastInput >= self.limits.headTimeout ? .close : .none
    }
}

extension HTTPConnectionStateMachine {
    /// Why a request is answered without looking at its body; nil when it is not.
    ///
    /// What the head alone tells is judged here only when a body would follow; without one the connection can go on
    /// after the answer. Its key comes first: who has none learns nothing of what else is wrong (A9-03).
    private static func refusal(of request: IncomingRequest, _ keyRefusal: () -> APIError?) -> APIError? {
        if let error = Self.protocolError(of: request) { return error }
        guard request.fields.hasBody else { return nil }
        if let error = keyRefusal() { return error }
        if case .failure(let error) = request.route { return error }
        return nil
    }

    /// What is wrong with the head as HTTP (RFC 9112; T-36).
    private static func protocolError(of request: IncomingRequest) -> APIError? {
        let (fields, version) = (request.fields, request.http.version)
        if fields.hosts > 1 || fields.hosts == 0 && !version.isBeforeHTTP11 {
            return .malformedRequest("it needs one Host header field")
        }
        if let coding = fields.transferCodings.first {
            if fields.contentLength != nil || version.isBeforeHTTP11 {
                return .malformedRequest("the length of its body is ambiguous")
            }
            guard fields.transferCodings.count == 1, coding.lowercased() == "chunked" else {
                return APIError(
                    status: 501,
                    message: "Only the transfer encoding 'chunked' is supported.",
                    type: "invalid_request_error",
                    code: "unsupported_transfer_encoding"
                )
            }
        }
        guard fields.expectations.allSatisfy({ $0.lowercased() == "100-continue" }) else {
            return APIError(
                status: 417,
                message: "Only the expectation '100-continue' is supported.",
                code: "expectation_failed"
            )
        }
        return nil
    }
}

extension HTTPVersion {
    fileprivate var isBeforeHTTP11: Bool { (self.major, self.minor) < (1, 1) }
}

extension IncomingRequest {
    fileprivate var expectsContinue: Bool {
        !self.http.version.isBeforeHTTP11 && self.fields.hasBody && !self.fields.expectations.isEmpty
    }
}

extension APIError {
    /// 400: the request is not HTTP as it should be.
    static func malformedRequest(_ what: String) -> APIError {
        .invalidRequest("The HTTP request cannot be read: \(what).", code: "malformed_request")
    }

    /// The answer to a request that NIO's parser gave up on.
    init(_ error: HTTPParserError) {
        switch error {
        case .headerOverflow:
            self = APIError(
                status: 431,
                message: "The request's header fields are too large.",
                code: "header_too_large"
            )
        case .invalidVersion:
            self = APIError(
                status: 505,
                message: "Only HTTP/1.1 and HTTP/1.0 are supported.",
                type: "invalid_request_error",
                code: "unsupported_http_version"
            )
        default: self = .malformedRequest("its syntax is not valid")
        }
    }
}
