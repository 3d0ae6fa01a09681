/// What is known of a request before its body comes.
public struct RequestHead: Sendable, Equatable {
    /// Method, in capitals.
    public var method: String
    /// Path as it was sent, without query.
    public var path: String
    /// Query as it was sent, without `?`; empty when there is none.
    public var query: String
    /// Size of the body when the client told it.
    public var contentLength: UInt64?
    /// `Content-Type`, empty when there is none.
    public var contentType: String

    /// Splits a request target, also one in absolute form (RFC 9112, section 3.2.2).
    public init(method: String, target: String, contentLength: UInt64? = nil, contentType: String = "") {
        let target = Self.withoutAuthority(target)
        let question = target.utf8.firstIndex(of: UInt8(ascii: "?"))
        self.method = method
        self.path = question.map { String(target[..<$0]) } ?? String(target)
        self.query = question.map { String(target[target.utf8.index(after: $0)...]) } ?? ""
        self.contentLength = contentLength
        self.contentType = contentType
    }

    private static func withoutAuthority(_ target: String) -> Substring {
        // As nearly all are.
        if target.utf8.first == UInt8(ascii: "/") { return target[...] }
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let afterScheme = target.dropFirst(scheme.count)
            return afterScheme.firstIndex { $0 == "/" || $0 == "?" }.map { afterScheme[$0...] } ?? "/"
        }
        return target[...]
    }

    /// Whether it asks only how the gateway is, which needs no key.
    public var isProbe: Bool { self.path == "/healthz" || self.path == "/readyz" }

    /// Bytes of a body that are taken for a token.
    private static let bytesPerToken: UInt64 = 4
    /// What a body whose length is not told counts as, in bytes.
    private static let untoldBodyBytes: UInt64 = 16 << 10

    /// Tokens that the request uses at an engine, as far as its head tells; 0 for requests that no engine sees at once.
    public var estimatedTokens: Int {
        guard self.method == "POST", InferencePath(rawValue: self.path) != nil else { return 0 }
        let bytes = self.contentLength ?? Self.untoldBodyBytes
        return Int(clamping: bytes / Self.bytesPerToken + (bytes % Self.bytesPerToken > 0 ? 1 : 0))
    }

    /// Bytes of a form that are not the file: part headers, boundaries and the other fields.
    public static let maximumFormOverheadBytes: UInt64 = 64 << 10

    /// The route, once everything that the head alone can tell is in order.
    ///
    /// - Throws: 404 or 405 for the route, 400 or 415 for the content type, 413 for a body that is too large (A7-05).
    public func admit() throws(APIError) -> Route {
        let route = try Route(method: self.method, path: self.path)
        let limit = route.maximumBodyBytes
        if let length = self.contentLength, length > limit {
            let (param, code) = route.tooLarge
            throw .tooLarge(
                "The request body has \(length) bytes; at most \(limit) are allowed here.",
                param: param,
                code: code
            )
        }
        if case .inference = route {
            try self.checkIsJSON()
        } else if route.takesForm {
            _ = try MultipartBoundary(contentType: self.contentType)
        }
        return route
    }

    /// As engines do.
    private func checkIsJSON() throws(APIError) {
        guard HeaderParameters.value(of: self.contentType) == "application/json" else {
            throw APIError(
                status: 415,
                message: "The content type must be application/json.",
                code: "unsupported_media_type"
            )
        }
    }
}

extension Route {
    /// Most bytes of a request body.
    public var maximumBodyBytes: UInt64 {
        switch self {
        case .uploadFile: FilePurpose.maximumFileBytes + RequestHead.maximumFormOverheadBytes
        case .addUploadPart: PartFormStateMachine.maximumPartBytes + RequestHead.maximumFormOverheadBytes
        case .inference: UInt64(InferenceRequest.maximumBytes)
        default: UInt64(CreateBatchBody.maximumBytes)
        }
    }

    /// Whether the body is a form.
    var takesForm: Bool {
        switch self {
        case .uploadFile, .addUploadPart: true
        default: false
        }
    }

    /// `param` and `code` of the error about a body that is too large.
    fileprivate var tooLarge: (param: String?, code: String) {
        switch self {
        case .uploadFile: ("file", "file_too_large")
        case .addUploadPart: ("data", "part_too_large")
        default: (nil, "request_too_large")
        }
    }
}
