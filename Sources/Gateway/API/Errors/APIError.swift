/// An answer that is not a success, as the REST API words it (A9-01 ... A9-05).
public struct APIError: Error, Sendable, Equatable {
    /// HTTP status.
    public var status: Int
    /// For people; says what to do where something can be done.
    public var message: String
    /// Class of error, such as `invalid_request_error` (A9-02).
    public var type: String
    /// The request field at fault; nil when there is none.
    public var param: String?
    /// Machine-readable reason; nil when there is none.
    public var code: String?
    /// Whole seconds after which to try again, for the `Retry-After` header.
    public var retryAfterSeconds: Int?
    /// The same in milliseconds, where they are known, for the `retry-after-ms` header that the official SDKs prefer.
    public var retryAfterMilliseconds: Int?
    /// Methods that the path has, for the `Allow` header of a 405.
    public var allow: [String]

    /// Makes an error; without a type, the one that goes with the status.
    public init(
        status: Int,
        message: String,
        type: String? = nil,
        param: String? = nil,
        code: String? = nil,
        retryAfterSeconds: Int? = nil,
        allow: [String] = []
    ) {
        self.status = status
        self.message = message
        self.type = type ?? Self.type(for: status)
        self.param = param
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
        self.allow = allow
    }

    /// The error object, with all four keys (A9-01).
    public var json: JSON {
        .object([
            (
                "error",
                .object([
                    ("message", .string(self.message)),
                    ("type", .string(self.type)),
                    ("param", self.param.map { .string($0) } ?? .null),
                    ("code", self.code.map { .string($0) } ?? .null),
                ])
            )
        ])
    }

    /// Header fields that go with the error, besides content type and length.
    public var headers: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if self.status == 401 { headers.append(("www-authenticate", "Bearer")) }
        if let seconds = self.retryAfterSeconds { headers.append(("retry-after", String(seconds))) }
        if let milliseconds = self.retryAfterMilliseconds { headers.append(("retry-after-ms", String(milliseconds))) }
        // The official SDKs ask again after a 429 and every 5xx, which helps only where time does.
        if self.code == "insufficient_quota" || self.status == 501 { headers.append(("x-should-retry", "false")) }
        if !self.allow.isEmpty { headers.append(("allow", self.allow.joined(separator: ", "))) }
        return headers
    }

    private static func type(for status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }
}

extension APIError {
    /// Makes an error after whose answer to try again in some time, rounded up.
    public init(status: Int, message: String, code: String, retryAfter: Duration) {
        self.init(
            status: status,
            message: message,
            code: code,
            retryAfterSeconds: Int((retryAfter / .seconds(1)).rounded(.up))
        )
        self.retryAfterMilliseconds = Int((retryAfter / .milliseconds(1)).rounded(.up))
    }

    /// 400: the request is wrong.
    public static func invalidRequest(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: 400, message: message, param: param, code: code)
    }

    /// 400: a value is wrong.
    public static func invalidValue(_ message: String, param: String) -> APIError {
        .invalidRequest(message, param: param, code: "invalid_value")
    }

    /// 400: a required value is not there (A2-01).
    public static func missing(_ param: String) -> APIError {
        .invalidRequest("Missing required parameter: '\(param)'.", param: param, code: "missing_required_parameter")
    }

    /// 404: no such path. A base URL without `/v1` is what most often leads there.
    public static func unknownPath(method: String, path: String) -> APIError {
        let hint = path.hasPrefix("/v1/") ? "" : " The API's paths begin with /v1/: look at the base URL."
        return APIError(status: 404, message: "Unknown request URL: \(method) \(path).\(hint)", code: "unknown_url")
    }

    /// 404: no such object for this caller; the same words whether it belongs to somebody else or never was (A6-06).
    public static func notFound(_ kind: String, id: String) -> APIError {
        APIError(
            status: 404,
            message: "No such \(kind.prefix(1).uppercased() + kind.dropFirst()) object: \(id)",
            param: kind == "batch" ? "batch_id" : "id",
            code: "\(kind)_not_found"
        )
    }

    /// 405: the path exists, the method does not.
    public static func methodNotAllowed(_ method: String, allow: [String]) -> APIError {
        APIError(
            status: 405,
            message: "Method \(method) is not allowed here; use \(allow.joined(separator: " or ")).",
            code: "method_not_allowed",
            allow: allow
        )
    }

    /// 413: more bytes than a named limit allows.
    public static func tooLarge(_ message: String, param: String? = nil, code: String = "file_too_large") -> APIError {
        APIError(status: 413, message: message, param: param, code: code)
    }

    /// 500: the fault is here, and its text stays in the log.
    public static let internalError = APIError(
        status: 500,
        message:
            "The server had an error while processing the request. Try again, and report the request id if it lasts.",
        code: "internal_error"
    )

    /// 501: the scheduler is of an earlier version, which has no such call.
    public static let notImplemented = APIError(
        status: 501,
        message: "The scheduler of this gateway is of an earlier version that cannot do this: it has to be updated.",
        code: "not_implemented"
    )

    /// 503: no scheduler answers, or too much is going on.
    public static func unavailable(_ message: String, code: String, retryAfterSeconds: Int = 1) -> APIError {
        APIError(status: 503, message: message, code: code, retryAfterSeconds: retryAfterSeconds)
    }
}
