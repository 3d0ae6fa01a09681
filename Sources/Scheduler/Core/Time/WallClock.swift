/// The wall clock, but for steps that need not be right (T-27).
///
/// Deadlines and times of the API are wall time. A clock that is slewed, or set by minutes, is followed. One that steps
/// further is doubted: time goes on as the boot clock does, which also counts while the machine sleeps, until the step
/// has held for a while. A time before this program was written is never believed.
public struct WallClock: Sendable {
    /// Steps up to this are followed at once, in milliseconds.
    public static let tolerance: Int64 = 5 * 60_000
    /// A further step is believed once it has held for this long, in milliseconds of the boot clock.
    public static let holdTime: Int64 = 10 * 60_000
    /// How far what is stored may be ahead of the clock at a start and bound it from below, in milliseconds: what is
    /// further ahead was written while the clock was wrong.
    public static let maximumLead: Int64 = 24 * 3_600_000
    /// 2025-01-01, in Unix milliseconds.
    public static let earliest: Int64 = 1_735_689_600_000

    /// What people should know of the clock.
    public enum Notice: Sendable, Equatable {
        /// It stepped by so many milliseconds and is not followed.
        case doubted(step: Int64)
        /// The step has held and is followed.
        case believed(step: Int64)
        /// It is back where it should be.
        case returned
    }

    /// What is believed: Unix time when the boot clock began, in milliseconds.
    private var offset: Int64
    /// The clock showed an impossible time at the start, so the offset is made up.
    private var isGuess = false
    /// Another offset, and since when the clock shows it.
    private var doubt: (offset: Int64, since: Int64)?

    /// Starts from what the clocks show.
    /// - Parameter newest: the newest time that is stored, in Unix milliseconds.
    public init(unix: Int64, boot: Int64, newest: Int64?) {
        let bound = newest.map { unix < Self.earliest || $0 - unix <= Self.maximumLead ? $0 : unix } ?? unix
        self.isGuess = unix < Self.earliest
        self.offset = max(unix, bound, Self.earliest) - boot
    }

    /// The time now, in Unix milliseconds, given what the clocks show.
    public mutating func now(unix: Int64, boot: Int64) -> (time: Int64, notice: Notice?) {
        let notice = self.look(unix - boot, boot: boot, isPossible: unix >= Self.earliest)
        return (boot + self.offset, notice)
    }

    private mutating func look(_ shown: Int64, boot: Int64, isPossible: Bool) -> Notice? {
        let step = shown - self.offset
        guard abs(step) > Self.tolerance || !isPossible else {
            self.offset = shown
            self.isGuess = false
            defer { self.doubt = nil }
            return self.doubt == nil ? nil : .returned
        }
        guard let doubt, abs(shown - doubt.offset) <= Self.tolerance else {
            if self.isGuess, isPossible, step > 0 { return self.believe(shown, step) }
            self.doubt = (shown, boot)
            return .doubted(step: step)
        }
        // Slewed meanwhile, perhaps.
        self.doubt?.offset = shown
        guard isPossible, boot - doubt.since >= Self.holdTime else { return nil }
        return self.believe(shown, step)
    }

    private mutating func believe(_ shown: Int64, _ step: Int64) -> Notice {
        self.offset = shown
        self.isGuess = false
        self.doubt = nil
        return .believed(step: step)
    }
}
