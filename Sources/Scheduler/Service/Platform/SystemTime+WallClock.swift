import Logging
import SchedulerCore
import Synchronization

extension SystemTime {
    /// The same clocks, of which the wall clock is followed only within reason (T-27).
    /// - Parameter newest: the newest time that is stored, in Unix milliseconds.
    func doubtingTheWallClock(newest: Int64?, logger: Logger) -> SystemTime {
        let shown = self
        let clock = DoubtedClock(shown, newest: newest)
        return SystemTime(
            monotonicMilliseconds: shown.monotonicMilliseconds,
            bootMilliseconds: shown.bootMilliseconds,
            unixMilliseconds: { clock.read(shown, logger) },
            sleep: shown.sleep
        )
    }
}

private final class DoubtedClock: Sendable {
    private let clock: Mutex<WallClock>

    init(_ time: SystemTime, newest: Int64?) {
        self.clock = Mutex(
            WallClock(unix: time.unixMilliseconds(), boot: time.bootMilliseconds(), newest: newest)
        )
    }

    func read(_ time: SystemTime, _ logger: Logger) -> Int64 {
        let (now, notice) = self.clock.withLock { clock in
            clock.now(unix: time.unixMilliseconds(), boot: time.bootMilliseconds())
        }
        if let notice { self.tell(notice, logger) }
        return now
    }

    private func tell(_ notice: WallClock.Notice, _ logger: Logger) {
        switch notice {
        case .doubted(let step):
            logger.error(
                "the wall clock has jumped: it is not followed unless it stays there",
                metadata: ["seconds": "\(step / 1_000)"]
            )
        case .believed(let step):
            logger.warning("the wall clock stays where it jumped to", metadata: ["seconds": "\(step / 1_000)"])
        case .returned: logger.notice("the wall clock is back")
        }
    }
}
