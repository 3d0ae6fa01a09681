/// How often, and when, a call that failed is made again (G6-09).
///
/// A call that was provably not run is made again whatever it does: on another server at once, on the same one after a
/// pause. A call that may have been run is made again only when its method is declared idempotent or its metadata has an
/// `idempotency-key`. Either only after UNAVAILABLE, or on a server that was not tried after UNIMPLEMENTED, within the call's timeout, and never once the answer has come.
public struct RetryPolicy: Sendable {
    /// Times that a call is made, the first included; 1: it is never made again. Default 4.
    public var maximumAttempts: Int
    /// Pauses before attempts at servers that have failed the call already. Default: from 50 ms on, up to 1 s.
    public var backOff: BackOff

    /// Sets the bounds.
    public init(
        maximumAttempts: Int = 4,
        backOff: BackOff = BackOff(minimum: .milliseconds(50), maximum: .seconds(1))
    ) {
        self.maximumAttempts = maximumAttempts
        self.backOff = backOff
    }
}
