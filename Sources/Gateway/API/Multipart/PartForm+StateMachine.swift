public import NIOCore

/// Reads the form of `POST /v1/uploads/{id}/parts` as it comes (A8-02): bytes in, actions out. It has one field, `data`,
/// sent as a file or as a plain field.
public struct PartFormStateMachine: UploadForm {
    /// Most bytes of a part: 64 MiB.
    public static let maximumPartBytes: UInt64 = 64 << 20

    private static let field = "data"

    private var multipart: MultipartStateMachine
    private var hasData = false
    private var bytes: UInt64 = 0

    /// Begins a form.
    ///
    /// - Throws: 415 or 400 when the content type is not that of a form.
    public init(contentType: String, limits: MultipartLimits = MultipartLimits()) throws(APIError) {
        self.multipart = MultipartStateMachine(
            boundary: try MultipartBoundary(contentType: contentType),
            limits: limits
        )
    }

    /// Adds bytes of the body; then ask `next()` until it gives nil.
    public mutating func append(_ bytes: ByteBuffer) {
        self.multipart.append(bytes)
    }

    /// The next thing to do; nil when more bytes are needed.
    ///
    /// - Throws: 400 for a malformed form or a wrong field, 413 when the part is too large.
    public mutating func next() throws(APIError) -> UploadFormAction? {
        while let event = try self.multipart.next() {
            switch event {
            case .part(let head):
                try self.begin(head)
                return .beginFile(purpose: nil)
            case .content(let bytes):
                self.bytes += UInt64(bytes.readableBytes)
                guard self.bytes <= Self.maximumPartBytes else { throw .partTooLarge }
                return .fileContent(bytes)
            case .partEnd: return .endFile
            case .end: continue
            }
        }
        return nil
    }

    /// The body has ended; gives the size of the part.
    ///
    /// - Throws: 400 when it is missing or empty.
    public mutating func finish() throws(APIError) -> UInt64 {
        try self.multipart.finish()
        guard self.hasData else { throw .missing(Self.field) }
        guard self.bytes > 0 else { throw .invalidValue("'data' must have at least one byte.", param: Self.field) }
        return self.bytes
    }

    private mutating func begin(_ head: MultipartPartHead) throws(APIError) {
        guard head.name == Self.field else {
            throw Suggestion.unknown("form field", head.name, among: [Self.field])
        }
        guard !self.hasData else {
            throw .invalidValue("'data' is given more than once; send one part a request.", param: Self.field)
        }
        self.hasData = true
    }
}

extension APIError {
    /// 413: a part of an upload has too many bytes.
    static let partTooLarge = APIError.tooLarge(
        "The part is too large: a part may have \(PartFormStateMachine.maximumPartBytes) bytes.",
        param: "data",
        code: "part_too_large"
    )
}
