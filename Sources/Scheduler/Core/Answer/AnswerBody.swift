public import JSONSpans

/// The body that an engine answered, made fit for one line of a file.
public enum AnswerBody {
    /// Why a body cannot be kept.
    public typealias Problem = JSONError

    /// The JSON as it came, without the CR and LF between its tokens: inside strings strict JSON has none, so every one
    /// of these bytes can go.
    public static func normalise(_ body: [UInt8]) throws(JSONError) -> [UInt8] {
        var failure: JSONError?
        let hasLineBreaks = body.withUnsafeBytes { bytes in
            do throws(JSONError) {
                try JSONDocument.validate(bytes)
            } catch {
                failure = error
            }
            return bytes.contains { $0 == 0x0A || $0 == 0x0D }
        }
        if let failure { throw failure }
        return hasLineBreaks ? body.filter { $0 != 0x0A && $0 != 0x0D } : body
    }
}
