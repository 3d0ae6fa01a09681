import ProtoRPC
import SchedulerCore

/// The errors of `Inference`. An answer of the engine, of any status, is none of them.
extension RPCErrors {
    private static let maximumShownModels = 20

    static func noSuchModel(_ model: String, served: [String]) -> RPCError {
        let shown = served.prefix(self.maximumShownModels).joined(separator: ", ")
        let more = served.count - self.maximumShownModels
        return self.make(
            .notFound,
            "No engine serves the model \(self.shown(model)). There are: \(shown)\(more > 0 ? " and \(more) more" : "").",
            reason: "model_not_found",
            param: "model"
        )
    }

    static func noEngine(_ reason: String) -> RPCError {
        self.make(
            .unavailable,
            "No engine can take the request: \(reason).",
            reason: "engine_unavailable",
            retryAfterMilliseconds: 1_000
        )
    }

    static let tooManyRequests = Self.make(
        .resourceExhausted,
        "\(Dispatcher.maximumWaitingRequests) requests wait for an engine: try again in a moment.",
        reason: "too_many_requests",
        retryAfterMilliseconds: 1_000
    )

    /// A request to which no whole answer came. What may have run must not be sent again by itself, so it is never
    /// UNAVAILABLE.
    static func engine(_ failure: AttemptFailure) -> RPCError {
        switch failure.kind {
        case .unsendable: return self.invalid("request-id", "The request cannot be sent: \(failure.message).")
        case .answerTooLarge:
            return self.make(.resourceExhausted, "The engine: \(failure.message).", reason: "answer_too_large")
        case .timedOut where failure.mayHaveRun:
            return self.make(.deadlineExceeded, "The engine: \(failure.message).", reason: "engine_timeout")
        case .broken where failure.mayHaveRun, .unreachable where failure.mayHaveRun:
            return self.make(.unknown, "The engine: \(failure.message).", reason: "engine_connection_error")
        case .unreachable, .broken, .timedOut: return self.noEngine(failure.message)
        }
    }
}
