import GatewayAPI
import ProtoMessages
import ProtoRPC

extension APIError {
    /// What a client is told about a failed call to the scheduler.
    ///
    /// The scheduler's words for requests that are wrong are meant for the client; those of other failures stay here.
    init(_ error: RPCError) {
        let info = error.info
        let reason = info.reason.isEmpty ? nil : info.reason
        let param = info.param.isEmpty ? nil : info.param
        guard let status = Self.status(of: error.code, reason: info.reason) else {
            self = .internalError
            return
        }
        switch status {
        case 503:
            self = .unavailable(
                info.reason == "no_space"
                    ? "The service has no space left to store what the request needs. Try again later."
                    : "The service cannot take the request now. Try again in a moment.",
                code: reason ?? "service_unavailable",
                retryAfterSeconds: Self.seconds(info.retryAfterMilliseconds) ?? 1
            )
        case 501: self = .notImplemented
        case 504:
            self = APIError(
                status: 504,
                message: "The request took too long. Whether it took effect is not known; look before trying again.",
                code: reason ?? "timeout"
            )
        case 429:
            self = APIError(
                status: 429,
                message: error.message,
                type: reason == "insufficient_quota" ? reason : nil,
                param: param,
                code: reason ?? "rate_limit_exceeded",
                retryAfterSeconds: Self.seconds(info.retryAfterMilliseconds) ?? 1
            )
        default: self = APIError(status: status, message: error.message, param: param, code: reason)
        }
    }

    private static func status(of code: RPCStatus.Code, reason: String) -> Int? {
        switch code {
        case .invalidArgument, .failedPrecondition, .outOfRange: 400
        case .unauthenticated: 401
        // Without a reason it is the gateway's own certificate that is not enough, which is no client's business.
        case .permissionDenied: reason.isEmpty ? nil : 403
        case .notFound: 404
        case .alreadyExists: 409
        case .resourceExhausted: ["file_too_large", "part_too_large"].contains(reason) ? 413 : 429
        case .dataLoss: 500
        case .unimplemented: 501
        case .unavailable: 503
        case .deadlineExceeded: 504
        default: nil
        }
    }

    /// Whole seconds, rounded up; nil when unknown.
    private static func seconds(_ milliseconds: UInt32) -> Int? {
        milliseconds == 0 ? nil : (Int(milliseconds) + 999) / 1_000
    }
}

extension RPCError {
    private static let infoType = "type.googleapis.com/backfill.v1.ErrorInfo"

    /// What the status says beyond its code; the default message when it says nothing that can be read.
    var info: ErrorInfo {
        guard let detail = self.details.first(where: { $0.typeURL == Self.infoType }) else { return ErrorInfo() }
        return (try? ErrorInfo(serialized: detail.value)) ?? ErrorInfo()
    }
}
