import NIOCore
import Testing

@testable import ProtoRPC

@Suite struct KeepAliveStateMachineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000)

    private func machine(misses: Int = 2) -> KeepAliveStateMachine {
        KeepAliveStateMachine(interval: .seconds(10), misses: misses, now: self.start)
    }

    private func after(_ seconds: Int64) -> NIODeadline { self.start + .seconds(seconds) }

    @Test("G6-04 two misses are allowed, an interval apart, then the peer is dead")
    func dead() {
        var machine = self.machine()
        #expect(machine.firstLook == self.after(10))
        #expect(machine.timerFired(now: self.after(10)) == .missed(until: self.after(20)))
        #expect(machine.timerFired(now: self.after(20)) == .missed(until: self.after(30)))
        #expect(machine.timerFired(now: self.after(30)) == .dead)
    }

    @Test("G6-04 a sign of life begins the count anew")
    func alive() {
        var machine = self.machine()
        machine.active(now: self.after(7))
        #expect(machine.timerFired(now: self.after(10)) == .wait(until: self.after(17)))
        _ = machine.timerFired(now: self.after(17))
        _ = machine.timerFired(now: self.after(27))
        machine.active(now: self.after(28))
        #expect(machine.timerFired(now: self.after(37)) == .wait(until: self.after(38)))
        #expect(machine.timerFired(now: self.after(38)) == .missed(until: self.after(48)))
        #expect(machine.timerFired(now: self.after(48)) == .missed(until: self.after(58)))
        #expect(machine.timerFired(now: self.after(58)) == .dead)
    }

    @Test("G6-04 a process that stood still does not take the time for silence of its peer")
    func suspended() {
        var machine = self.machine()
        #expect(machine.timerFired(now: self.after(1_000)) == .missed(until: self.after(1_010)))
        #expect(machine.timerFired(now: self.after(2_000)) == .missed(until: self.after(2_010)))
        machine.active(now: self.after(2_005))
        #expect(machine.timerFired(now: self.after(2_010)) == .wait(until: self.after(2_015)))
    }

    @Test func withoutAllowedMissesTheFirstSilenceIsTheLast() {
        var machine = self.machine(misses: -1)
        #expect(machine.timerFired(now: self.after(10)) == .dead)
    }

    @Test func anIntervalOfNothingDoesNotSpin() {
        var machine = KeepAliveStateMachine(interval: .zero, misses: 2, now: self.start)
        #expect(machine.timerFired(now: self.start) == .wait(until: self.start + .milliseconds(1)))
    }
}
