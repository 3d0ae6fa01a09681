import NIOCore

/// Whether a peer that has begun a frame's data sends it fast enough (G6-11). No I/O: events in, actions out.
///
/// Time is cut into periods while data is outstanding. Each must bring the bytes that the rate asks for; the last one,
/// which ends with the frame, may be shorter. Frames that follow each other count as one.
struct BodyProgressStateMachine {
    enum Action: Equatable {
        case none
        /// Call `timerFired` then. The timer set before, if any, has fired.
        case setTimer(NIODeadline)
        /// The peer is too slow.
        case close
    }

    private let period: TimeAmount
    private let bytesPerPeriod: UInt64
    /// The period that runs; nil: no data is outstanding, or the peer is not read.
    private var current: (began: NIODeadline, bytesBefore: UInt64)?
    private var timerIsSet = false

    /// - Parameters:
    ///   - bytesPerSecond: least that must come; 0: any pace will do.
    ///   - period: over how long that is measured.
    init(bytesPerSecond: Int, period: TimeAmount) {
        self.period = period
        let seconds = Double(max(period.nanoseconds, 0)) / 1e9
        self.bytesPerPeriod = UInt64(min(max(Double(bytesPerSecond) * seconds, 0), 1e15).rounded(.up))
    }

    /// Bytes came, `bytesReceived` in all, and a frame's data is outstanding behind them or not.
    mutating func received(bytesReceived: UInt64, isInsideData: Bool, now: NIODeadline) -> Action {
        guard isInsideData, self.bytesPerPeriod > 0 else {
            self.current = nil
            return .none
        }
        guard self.current == nil else { return .none }
        self.current = (now, bytesReceived)
        // One timer serves frame after frame: it is moved when it fires.
        guard !self.timerIsSet else { return .none }
        self.timerIsSet = true
        return .setTimer(now + self.period)
    }

    /// The server does not read on, so that the peer cannot send. The next bytes begin a new period.
    mutating func paused() {
        self.current = nil
    }

    /// The time of the last `setTimer` has come.
    mutating func timerFired(bytesReceived: UInt64, now: NIODeadline) -> Action {
        self.timerIsSet = false
        guard let current = self.current else { return .none }
        var end = current.began + self.period
        if now >= end {
            guard bytesReceived - current.bytesBefore >= self.bytesPerPeriod else { return .close }
            self.current = (now, bytesReceived)
            end = now + self.period
        }
        self.timerIsSet = true
        return .setTimer(end)
    }
}
