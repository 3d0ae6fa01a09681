/// The boundary that a form's content type names (RFC 2046, section 5.1.1).
public struct MultipartBoundary: Sendable, Equatable {
    /// Longest boundary.
    private static let maximumBytes = 70

    /// The boundary without the hyphens before it.
    let bytes: [UInt8]

    /// Reads a `Content-Type`.
    ///
    /// - Throws: 415 when it is not `multipart/form-data`, 400 when the boundary is missing or malformed.
    public init(contentType: String) throws(APIError) {
        guard let type = HeaderParameters(contentType.utf8), type.value == "multipart/form-data" else {
            throw APIError(
                status: 415,
                message: "The content type must be multipart/form-data with a boundary.",
                code: "unsupported_media_type"
            )
        }
        guard let boundary = type["boundary"], Self.isValid(boundary) else {
            throw .malformedForm("the content type has no valid boundary")
        }
        self.bytes = Array(boundary.utf8)
    }

    private static func isValid(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= Self.maximumBytes && text.utf8.last != UInt8(ascii: " ")
            && text.utf8.allSatisfy { 0x20..<0x7F ~= $0 }
    }
}

extension APIError {
    /// 400: the body is not a well-formed `multipart/form-data` form.
    static func malformedForm(_ what: String) -> APIError {
        .invalidRequest("The form cannot be read: \(what).", code: "invalid_multipart")
    }
}
