internal import JSONSpans
public import NIOCore

/// What the gateway has to know of the body of an online request. The body itself goes on as it came, whatever else is
/// in it (A10-07).
public struct InferenceRequest: Sendable, Equatable {
    /// Largest body, in bytes.
    public static let maximumBytes = 64 << 20
    /// Longest name of a model, in bytes.
    public static let maximumModelBytes = 512

    /// The model that is asked.
    public var model: String
    /// From `service_tier`.
    public var tier: ServiceTier

    /// Makes a request.
    public init(model: String, tier: ServiceTier = .default) {
        self.model = model
        self.tier = tier
    }

    /// Finds what matters in a body, which has to be a JSON object. Of the keys that matter none may stand twice, since
    /// parsers differ in which one counts.
    ///
    /// - Throws: 400, with `param` naming the key at fault.
    public static func parse(_ body: ByteBuffer) throws(APIError) -> InferenceRequest {
        guard body.readableBytes > 0 else {
            throw .invalidRequest("The request body is empty: it must be a JSON object.", code: "invalid_json")
        }
        let parsed = body.withUnsafeReadableBytes { bytes in
            Result { () throws(APIError) in try self.parse(bytes) }
        }
        return try parsed.get()
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) throws(APIError) -> InferenceRequest {
        var model: JSONSpan?
        var tier: JSONSpan?
        var duplicate: String?
        do throws(JSONError) {
            try JSONDocument.members(of: bytes, in: 0..<bytes.count) { key, value in
                let key = UnsafeRawBufferPointer(rebasing: bytes[key])
                if JSONString.equals(key, "model") {
                    if model != nil { duplicate = "model" }
                    model = value
                } else if JSONString.equals(key, "service_tier") {
                    if tier != nil { duplicate = "service_tier" }
                    tier = value
                }
            }
        } catch {
            throw APIError(error)
        }
        if let duplicate {
            throw .invalidRequest("'\(duplicate)' stands twice.", param: duplicate, code: "duplicate_key")
        }
        return InferenceRequest(model: try self.model(bytes, model), tier: self.tier(bytes, tier))
    }

    private static func model(_ bytes: UnsafeRawBufferPointer, _ span: JSONSpan?) throws(APIError) -> String {
        guard let span, span.kind != .null else { throw .missing("model") }
        guard span.kind == .string else {
            throw .invalidRequest("'model' must be a string.", param: "model", code: "invalid_type")
        }
        let text = JSONString.decode(UnsafeRawBufferPointer(rebasing: bytes[span.inside]))
        guard !text.isEmpty else { throw .invalidValue("'model' must not be empty.", param: "model") }
        guard text.count <= self.maximumModelBytes else {
            throw .invalidValue("'model' is longer than \(self.maximumModelBytes) bytes.", param: "model")
        }
        // Protobuf's C strings end at NUL.
        guard !text.contains(0) else { throw .invalidValue("'model' must not contain NUL.", param: "model") }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether other values are right is the engine's to say.
    private static func tier(_ bytes: UnsafeRawBufferPointer, _ span: JSONSpan?) -> ServiceTier {
        guard let span, span.kind == .string,
            JSONString.equals(UnsafeRawBufferPointer(rebasing: bytes[span.inside]), "flex")
        else { return .default }
        return .flex
    }
}

extension APIError {
    /// 400: the body is not a JSON object.
    init(_ error: JSONError) {
        let message =
            switch error.reason {
            case .wrongKind: "The request body must be a JSON object."
            case .invalidUTF8: "The request body is not UTF-8 at byte \(error.offset)."
            case .tooDeep: "The request body is nested deeper than \(JSONDocument.maximumDepth) levels."
            case .syntax: "The request body is not valid JSON at byte \(error.offset)."
            }
        self = .invalidRequest(message, code: "invalid_json")
    }
}
