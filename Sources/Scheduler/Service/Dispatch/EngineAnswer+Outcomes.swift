import SchedulerCore
import SchedulerEngines

extension AttemptResult {
    /// nil: the request was cancelled, which says nothing.
    init?(_ answer: EngineAnswer) {
        switch answer {
        case .answered(let response):
            self = .answered(status: response.status, retryAfterMilliseconds: response.retryAfterMilliseconds)
        case .failed(let failure): self = .failed(failure)
        case .cancelled: return nil
        }
    }
}

extension LineAnswer.Content {
    init(_ answer: EngineAnswer) {
        switch answer {
        case .answered(let response):
            self = .answered(status: response.status, requestID: response.requestID, body: response.body)
        case .failed(let failure): self = .failed(LineError(failure))
        case .cancelled: self = .failed(.cancelled)
        }
    }
}

extension LineError {
    /// The error line of a request that never got a whole answer (A5-03).
    fileprivate init(_ failure: AttemptFailure) {
        let code =
            switch failure.kind {
            case .unreachable: "engine_unreachable"
            case .broken: "engine_connection_error"
            case .timedOut: "engine_timeout"
            case .answerTooLarge: "engine_answer_too_large"
            case .unsendable: "invalid_request"
            }
        self.init(code: code, message: failure.message)
    }
}
