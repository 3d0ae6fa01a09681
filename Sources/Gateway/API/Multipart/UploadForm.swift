public import NIOCore

/// A form with one file in it, read as it comes: bytes in, actions out.
public protocol UploadForm {
    /// What the form says once it is complete.
    associatedtype Details: Sendable

    /// Adds bytes of the body; then ask `next()` until it gives nil.
    mutating func append(_ bytes: ByteBuffer)

    /// The next thing to do; nil when more bytes are needed.
    ///
    /// - Throws: 400 for a malformed form or a wrong field, 413 when the file is too large.
    mutating func next() throws(APIError) -> UploadFormAction?

    /// The body has ended.
    ///
    /// - Throws: 400 when something is missing, 413 when the file is too large.
    mutating func finish() throws(APIError) -> Details
}

/// What to do with the file of a form.
public enum UploadFormAction: Sendable, Equatable {
    /// The file's content begins.
    case beginFile(purpose: String?)
    /// Some of the file's content; never empty.
    case fileContent(ByteBuffer)
    /// The file's content is complete; the form may go on.
    case endFile
}
