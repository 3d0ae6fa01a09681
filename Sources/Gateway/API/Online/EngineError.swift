internal import JSONSpans
public import NIOCore

/// What becomes of an engine's answer that is not a success.
public enum EngineError {
    /// Bytes of such an answer that are looked at; one that is longer is passed on as it comes if it says that it is JSON.
    public static let maximumBytes = 64 << 10

    /// Whether an answer with this status is passed on at all. Others are no end of a request.
    public static func isAnswer(_ status: Int) -> Bool {
        (200..<300).contains(status) || (400..<600).contains(status)
    }

    /// Whether a whole answer is JSON, so that clients can read it.
    public static func isReadable(_ body: ByteBuffer) -> Bool {
        body.withUnsafeReadableBytes { (try? JSONDocument.validate($0)) != nil }
    }

    /// Whether a content type says JSON.
    public static func saysJSON(_ contentType: String) -> Bool {
        guard let type = HeaderParameters.value(of: contentType) else { return false }
        return type == "application/json" || type.hasSuffix("+json")
    }

    /// Whether a content type says that the body is a stream of events.
    public static func saysEvents(_ contentType: String) -> Bool {
        HeaderParameters.value(of: contentType) == "text/event-stream"
    }

    /// What stands for an answer of an engine that no client could read.
    public static func unreadable(status: Int) -> APIError {
        guard self.isAnswer(status) else {
            return APIError(
                status: 502,
                message: "The engine answered with the status \(status), which is no answer to a request.",
                code: "invalid_engine_answer"
            )
        }
        return APIError(
            status: status,
            message: "The engine answered with the status \(status) and without an error that can be read.",
            code: "engine_error"
        )
    }
}
