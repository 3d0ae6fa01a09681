import GatewayAPI
import ProtoMessages
import ProtoRPC

extension APIError {
    /// For the log alone: nobody is there to read it. nginx has made the status known.
    static let clientHasLeft = APIError(
        status: 499,
        message: "The client closed the connection before there was an answer.",
        code: "client_closed_request"
    )

    /// What a client is told about a request that no engine has answered as a whole.
    init(inference error: RPCError) {
        let info = error.info
        switch (error.code, info.reason) {
        case (.deadlineExceeded, _):
            self = APIError(
                status: 504,
                message: "The engine took too long. It was told to stop.",
                code: info.reason.isEmpty ? "timeout" : info.reason
            )
        case (.resourceExhausted, "answer_too_large"):
            self = APIError(
                status: 502,
                message: "The engine's answer is larger than \(InferenceRequest.maximumBytes) bytes.",
                code: "engine_answer_too_large"
            )
        case (.resourceExhausted, "too_many_requests"), (.resourceExhausted, ""):
            self = .unavailable("Too many requests wait for an engine. Try again in a moment.", code: "slow_down")
        case (.unknown, _):
            self = APIError(
                status: 502,
                message: "The engine broke off before its answer was whole.",
                code: info.reason.isEmpty ? "engine_connection_error" : info.reason
            )
        case (.cancelled, _), (.aborted, _):
            self = .unavailable("The service is stopping. Try again in a moment.", code: "service_unavailable")
        default: self = APIError(error)
        }
    }
}
