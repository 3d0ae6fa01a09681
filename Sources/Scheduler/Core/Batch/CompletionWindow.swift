/// How long a batch may take: a number and a unit, such as `24h`, `90m` or `7d` (A2-03), or `background`.
public struct CompletionWindow: Sendable, Equatable {
    /// As the client wrote it; echoed.
    public let text: String
    /// Its length.
    public let seconds: Int64

    /// A batch that takes what other batches leave, for as long as a window may be.
    public static let background = "background"

    /// When the batch's lines go.
    public var dispatchClass: DispatchClass { self.text == Self.background ? .background : .batch }

    /// Shortest window, in seconds.
    public static let minimumSeconds: Int64 = 60
    /// Longest window, in seconds: 30 days.
    public static let maximumSeconds: Int64 = 30 * 86_400

    /// Reads a window; nil when it is malformed or out of range.
    public init?(_ text: String) {
        if text == Self.background {
            self.text = text
            self.seconds = Self.maximumSeconds
            return
        }
        guard let unit = text.utf8.last, text.utf8.count <= 8 else { return nil }
        let unitSeconds: Int64
        switch unit {
        case UInt8(ascii: "m"): unitSeconds = 60
        case UInt8(ascii: "h"): unitSeconds = 3_600
        case UInt8(ascii: "d"): unitSeconds = 86_400
        default: return nil
        }
        let digits = text.utf8.dropLast()
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int64(Substring(digits))
        else { return nil }
        let seconds = number * unitSeconds
        guard (Self.minimumSeconds...Self.maximumSeconds).contains(seconds) else { return nil }
        self.text = text
        self.seconds = seconds
    }
}
