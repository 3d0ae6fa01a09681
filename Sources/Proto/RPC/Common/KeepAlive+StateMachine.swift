import NIOCore

/// Decides when the other end of a connection is gone, and when to ask. No I/O: events in, actions out.
///
/// A miss is counted when the timer fires and not by the clock, so that a process that was stopped for a while looks
/// for what has come meanwhile before it gives up.
struct KeepAliveStateMachine {
    enum Action: Equatable {
        /// Look again then.
        case wait(until: NIODeadline)
        /// Nothing moved for an interval: a side that pings does so now. Look again then.
        case missed(until: NIODeadline)
        /// The other end is gone.
        case dead
    }

    private let interval: TimeAmount
    private let misses: Int
    private var counted = 0
    /// The last sign of life, or the last miss.
    private var since: NIODeadline

    init(interval: TimeAmount, misses: Int, now: NIODeadline) {
        self.interval = max(interval, .milliseconds(1))
        self.misses = max(misses, 0)
        self.since = now
    }

    /// When to look first.
    var firstLook: NIODeadline { self.since + self.interval }

    /// There was a sign of life, or a reason why there can be none.
    mutating func active(now: NIODeadline) {
        self.since = now
        self.counted = 0
    }

    /// The timer fired.
    mutating func timerFired(now: NIODeadline) -> Action {
        let due = self.since + self.interval
        guard now >= due else { return .wait(until: due) }
        guard self.counted < self.misses else { return .dead }
        self.counted += 1
        self.since = now
        return .missed(until: now + self.interval)
    }
}
