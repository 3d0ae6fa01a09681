public import JSONSpans

/// The body that an engine answered, made fit for one line of a file.
public struct AnswerBody: Sendable, Equatable {
    /// Why a body cannot be kept.
    public typealias Problem = JSONError

    /// The JSON as it came, without the CR and LF between its tokens: inside strings strict JSON has none, so every one
    /// of these bytes can go.
    public let bytes: [UInt8]
    /// The tokens it reports; nil when it has no `usage`.
    public let usage: TokenUsage?

    /// Validates a body, in one pass when it is an object.
    public init(_ body: [UInt8]) throws(JSONError) {
        var failure: JSONError?
        var usage: TokenUsage?
        var hasLineBreaks = false
        body.withUnsafeBytes { bytes in
            do throws(JSONError) {
                usage = try Self.usage(in: bytes)
            } catch {
                failure = error
            }
            hasLineBreaks = bytes.contains { $0 == 0x0A || $0 == 0x0D }
        }
        if let failure { throw failure }
        self.bytes = hasLineBreaks ? body.filter { $0 != 0x0A && $0 != 0x0D } : body
        self.usage = usage
    }

    private static func usage(in bytes: UnsafeRawBufferPointer) throws(JSONError) -> TokenUsage? {
        var found: JSONSpan?
        do throws(JSONError) {
            try JSONDocument.members(of: bytes, in: 0..<bytes.count) { key, value in
                if JSONString.equals(UnsafeRawBufferPointer(rebasing: bytes[key]), "usage") { found = value }
            }
        } catch {
            guard error.reason == .wrongKind else { throw error }
            try JSONDocument.validate(bytes)
        }
        return found.flatMap { TokenUsage(bytes, $0) }
    }
}
