import SchedulerCore
import Testing

/// Clocks that are set, slewed and slept through (T-27).
struct WallClockTests {
    private static let begin: Int64 = 1_800_000_000_000
    private static let minute: Int64 = 60_000
    private static let hour: Int64 = 3_600_000

    /// A machine with its two clocks.
    private struct Machine {
        var boot: Int64 = 5_000
        var wall = WallClockTests.begin
        var clock: WallClock

        init(newest: Int64? = nil, wall: Int64 = WallClockTests.begin) {
            self.wall = wall
            self.clock = WallClock(unix: wall, boot: self.boot, newest: newest)
        }

        mutating func pass(_ milliseconds: Int64) {
            self.boot += milliseconds
            self.wall += milliseconds
        }

        mutating func look() -> (time: Int64, notice: WallClock.Notice?) {
            self.clock.now(unix: self.wall, boot: self.boot)
        }
    }

    @Test("T-27 a slew, a leap second and a suspend of ten minutes are followed")
    func followed() {
        var machine = Machine()
        for step: Int64 in [0, 500, -500, 1_000, -1_000, 4 * Self.minute, -4 * Self.minute] {
            machine.pass(10 * Self.minute)
            machine.wall += step
            let (time, notice) = machine.look()
            #expect(time == machine.wall && notice == nil)
        }
    }

    @Test("T-27 a clock that jumps is doubted for a while: nothing expires at once, and nothing is young again")
    func jumps() {
        for step in [Self.hour, -Self.hour, 365 * 24 * Self.hour] {
            var machine = Machine()
            let before = machine.look().time
            machine.wall += step
            machine.pass(1_000)
            let (time, notice) = machine.look()
            #expect(time == before + 1_000)
            #expect(notice == .doubted(step: step))
            machine.pass(WallClock.holdTime - 1)
            #expect(machine.look().time == before + 1_000 + WallClock.holdTime - 1)
            machine.pass(1)
            let (later, belief) = machine.look()
            #expect(later == machine.wall)
            #expect(belief == .believed(step: step))
        }
    }

    @Test("T-27 a jump that is taken back leaves no trace")
    func takenBack() {
        var machine = Machine()
        machine.wall += Self.hour
        #expect(machine.look().notice == .doubted(step: Self.hour))
        machine.pass(9 * Self.minute)
        machine.wall -= Self.hour
        let (time, notice) = machine.look()
        #expect(time == machine.wall && notice == .returned)
        // The next jump is doubted from its own beginning.
        machine.wall += Self.hour
        machine.pass(2 * Self.minute)
        #expect(machine.look().notice == .doubted(step: Self.hour))
        machine.pass(9 * Self.minute)
        #expect(machine.look().time == machine.wall - Self.hour)
    }

    @Test("T-27 a clock that jumps about is not believed for having been wrong long enough")
    func jumpsAbout() {
        var machine = Machine()
        let first = machine.look().time
        var step = Self.hour
        for minutes in 1...30 {
            machine.pass(Self.minute)
            machine.wall += step
            step = -step
            let expected = first + Int64(minutes) * Self.minute
            #expect(machine.look().time == expected)
        }
    }

    @Test("T-27 1970 is never believed, however long it lasts")
    func neverBelieved() {
        var machine = Machine()
        let before = machine.look().time
        machine.wall = 0
        for _ in 0..<100 {
            machine.pass(Self.minute)
            _ = machine.look()
        }
        #expect(machine.look().time == before + 100 * Self.minute)
    }

    @Test("T-27 at a start with 1970 time goes on from what is stored, and the right time is believed at once")
    func startIn1970() {
        for newest in [nil, Self.begin] {
            var machine = Machine(newest: newest, wall: 0)
            let time = machine.look().time
            #expect(time == newest ?? WallClock.earliest)
            machine.pass(1_000)
            machine.wall = Self.begin + 48 * Self.hour
            #expect(machine.look().time == machine.wall)
        }
    }

    @Test("T-27 at a start what is stored bounds the clock from below, unless it is too far ahead to be right")
    func bound() {
        var machine = Machine(newest: Self.begin + Self.hour)
        #expect(machine.look().time == Self.begin + Self.hour)
        machine.pass(WallClock.holdTime)
        #expect(machine.look().time == machine.wall)
        machine = Machine(newest: Self.begin + 48 * Self.hour)
        #expect(machine.look().time == Self.begin)
        // A long time without a scheduler.
        machine = Machine(newest: Self.begin - 1_000 * Self.hour)
        #expect(machine.look().time == Self.begin)
    }
}
