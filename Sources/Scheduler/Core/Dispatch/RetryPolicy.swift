/// What came of sending one line to an engine once.
public enum AttemptResult: Sendable, Equatable {
    /// The engine answered. `retryAfterMilliseconds` is its Retry-After header, when it sent one.
    case answered(status: Int, retryAfterMilliseconds: Int64?)
    /// No whole answer came.
    case failed(AttemptFailure)
}

/// Why no whole answer came.
public struct AttemptFailure: Error, Sendable, Equatable {
    /// What went wrong, as far as a decision depends on it.
    public enum Kind: Sendable, Equatable, CaseIterable {
        /// Name resolution, connect or TLS handshake.
        case unreachable
        /// The connection broke, or what came was not HTTP.
        case broken
        /// One of the time limits passed.
        case timedOut
        /// The answer is larger than an answer may be.
        case answerTooLarge
        /// The request itself cannot be sent.
        case unsendable
    }

    /// What went wrong.
    public var kind: Kind
    /// False when certainly no byte of the request reached an engine.
    public var mayHaveRun: Bool
    /// For people; holds no payload.
    public var message: String

    /// Makes a failure.
    public init(kind: Kind, mayHaveRun: Bool, message: String) {
        self.kind = kind
        self.mayHaveRun = mayHaveRun
        self.message = message
    }
}

/// Which attempts are repeated, when, and what they say of the engine (design section 5).
///
/// An attempt counts only when request bytes may have reached an engine. An engine that cannot be reached or says that
/// it is full is marked and its lines wait, uncounted. A failing request is repeated a bounded number of times; it marks
/// the request, not the engine.
public struct RetryPolicy: Sendable, Equatable {
    /// Most counted attempts of one line.
    public var maximumAttempts = 5
    /// Attempts after which a 404 is believed.
    private static let maximumNotFound = 2
    /// First delay before a counted attempt is repeated, in milliseconds; doubles each time.
    public var baseDelayMilliseconds: Int64 = 500
    /// Longest delay between attempts, in milliseconds.
    public var maximumDelayMilliseconds: Int64 = 30_000
    /// How long a full engine is left alone when it does not say, in milliseconds.
    public var busyPauseMilliseconds: Int64 = 1_000
    /// Longest Retry-After that is obeyed, in milliseconds.
    public var maximumPauseMilliseconds: Int64 = 60_000

    /// The documented defaults.
    public init() {}

    /// What to do with the line.
    public enum LineDecision: Sendable, Equatable {
        /// The line is done, well or badly.
        case record
        /// Send it again.
        case retry(afterMilliseconds: Int64, counted: Bool)
    }

    /// What the attempt says of the engine.
    public enum EngineVerdict: Sendable, Equatable {
        /// It works.
        case fine
        /// Nothing about it is known from this.
        case unknown
        /// It is full; leave it alone for a while.
        case busy(forMilliseconds: Int64)
        /// It may serve other models now; ask it.
        case changed
        /// It cannot be reached; ask its health before sending again.
        case unreachable
    }

    /// Decides.
    /// - Parameters:
    ///   - result: what came of the attempt.
    ///   - countedAttempts: counted attempts of this line before this one.
    ///   - jitter: a random number in 0..<1 that spreads the delays; asked for only when there is one to spread.
    public func decide(
        _ result: AttemptResult,
        countedAttempts: Int,
        jitter: @autoclosure () -> Double
    ) -> (line: LineDecision, engine: EngineVerdict) {
        switch result {
        case .answered(let status, let retryAfter):
            return self.decide(status: status, retryAfter: retryAfter, countedAttempts, jitter)
        case .failed(let failure):
            switch failure.kind {
            case .unreachable:
                return (.retry(afterMilliseconds: 0, counted: false), .unreachable)
            case .broken, .timedOut:
                guard failure.mayHaveRun else {
                    return (.retry(afterMilliseconds: 0, counted: false), .unreachable)
                }
                return (self.again(countedAttempts, jitter), .unknown)
            case .answerTooLarge, .unsendable:
                return (.record, .unknown)
            }
        }
    }

    private func decide(
        status: Int,
        retryAfter: Int64?,
        _ countedAttempts: Int,
        _ jitter: () -> Double
    ) -> (line: LineDecision, engine: EngineVerdict) {
        switch status {
        case 429, 503:
            let pause = min(max(retryAfter ?? self.busyPauseMilliseconds, 0), self.maximumPauseMilliseconds)
            return (.retry(afterMilliseconds: 0, counted: false), .busy(forMilliseconds: pause))
        case 404 where countedAttempts + 1 < Self.maximumNotFound:
            // The model may have left since the engine was asked; then the line waits for another engine (T-16).
            return (self.again(countedAttempts, jitter), .changed)
        case 408, 500, 502, 504:
            return (self.again(countedAttempts, jitter), .fine)
        default:
            return (.record, .fine)
        }
    }

    private func again(_ countedAttempts: Int, _ jitter: () -> Double) -> LineDecision {
        guard countedAttempts + 1 < self.maximumAttempts else { return .record }
        let doubled = self.baseDelayMilliseconds << Int64(min(countedAttempts, 20))
        let delay = min(doubled, self.maximumDelayMilliseconds)
        // Between half and the whole delay, so that lines that failed together do not come back together.
        return .retry(afterMilliseconds: delay / 2 + Int64(Double(delay / 2) * jitter()), counted: true)
    }
}
