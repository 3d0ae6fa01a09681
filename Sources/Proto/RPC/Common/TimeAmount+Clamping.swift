import NIOCore

/// Conversions that never trap.
extension TimeAmount {
    /// Longest time that is told apart from "no limit".
    static let longest = TimeAmount.hours(24 * 365)

    /// A duration cut to 0 ... one year.
    init(clamping duration: Duration) {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else {
            self = .zero
            return
        }
        guard seconds < Self.longest.nanoseconds / 1_000_000_000 else {
            self = .longest
            return
        }
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
