import NIOCore

/// Decides when a connection has to look at its deadlines.
///
/// One timer serves all calls of a connection: it is set for the earliest deadline known and not moved when that call
/// ends early, so that a call costs no timer. The next look finds the earliest of those that are left.
struct StreamAlarm {
    private(set) var wakeAt: NIODeadline?

    /// A call with this deadline began. Gives the time to set the timer to when it is earlier than the one set.
    mutating func include(_ deadline: NIODeadline) -> NIODeadline? {
        if let wakeAt = self.wakeAt, wakeAt <= deadline { return nil }
        self.wakeAt = deadline
        return deadline
    }

    /// The timer fired and `earliest` is the deadline that comes next, if any.
    mutating func rearm(_ earliest: NIODeadline?) {
        self.wakeAt = earliest
    }
}
