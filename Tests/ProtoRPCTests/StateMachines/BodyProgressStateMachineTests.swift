import NIOCore
import Testing

@testable import ProtoRPC

@Suite struct BodyProgressStateMachineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000)
    private var machine = BodyProgressStateMachine(bytesPerSecond: 100, period: .seconds(10))

    private func at(_ seconds: Int64) -> NIODeadline { self.start + .seconds(seconds) }

    @Test("G6-11 T-22 a peer that begins data and sends too little of it is closed after the period")
    mutating func tooSlow() {
        #expect(self.machine.received(bytesReceived: 20, isInsideData: true, now: self.start) == .setTimer(self.at(10)))
        #expect(self.machine.received(bytesReceived: 1_019, isInsideData: true, now: self.at(9)) == .none)
        #expect(self.machine.timerFired(bytesReceived: 1_019, now: self.at(10)) == .close)
    }

    @Test("G6-11 each period has to bring as much as the rate says")
    mutating func steady() {
        _ = self.machine.received(bytesReceived: 20, isInsideData: true, now: self.start)
        for period: Int64 in 1...3 {
            let bytes = UInt64(20 + 1_000 * period)
            #expect(self.machine.received(bytesReceived: bytes, isInsideData: true, now: self.at(10 * period)) == .none)
            let next = self.at(10 * (period + 1))
            #expect(self.machine.timerFired(bytesReceived: bytes, now: self.at(10 * period)) == .setTimer(next))
        }
        #expect(self.machine.timerFired(bytesReceived: 4_019, now: self.at(40)) == .close)
    }

    @Test("a frame that is complete within the period may be as slow as it likes")
    mutating func complete() {
        _ = self.machine.received(bytesReceived: 11, isInsideData: true, now: self.start)
        #expect(self.machine.received(bytesReceived: 12, isInsideData: false, now: self.at(9)) == .none)
        #expect(self.machine.timerFired(bytesReceived: 12, now: self.at(10)) == .none)
    }

    @Test("the timer of one frame is moved for the next, whose time starts with it")
    mutating func nextFrame() {
        _ = self.machine.received(bytesReceived: 11, isInsideData: true, now: self.start)
        _ = self.machine.received(bytesReceived: 12, isInsideData: false, now: self.at(1))
        #expect(self.machine.received(bytesReceived: 30, isInsideData: true, now: self.at(7)) == .none)
        #expect(self.machine.timerFired(bytesReceived: 30, now: self.at(10)) == .setTimer(self.at(17)))
        #expect(self.machine.timerFired(bytesReceived: 30, now: self.at(17)) == .close)
    }

    @Test("time in which the server does not read is not the peer's")
    mutating func paused() {
        _ = self.machine.received(bytesReceived: 11, isInsideData: true, now: self.start)
        self.machine.paused()
        #expect(self.machine.timerFired(bytesReceived: 11, now: self.at(10)) == .none)
        #expect(
            self.machine.received(bytesReceived: 12, isInsideData: true, now: self.at(50)) == .setTimer(self.at(60))
        )
    }

    @Test("a rate of 0 closes nobody")
    func off() {
        var machine = BodyProgressStateMachine(bytesPerSecond: 0, period: .seconds(10))
        #expect(machine.received(bytesReceived: 11, isInsideData: true, now: self.start) == .none)
    }

    @Test("no rate and no period traps", arguments: [(Int.max, Int64.max), (-1, 0), (1, 0)])
    func extremes(bytesPerSecond: Int, period: Int64) {
        var machine = BodyProgressStateMachine(bytesPerSecond: bytesPerSecond, period: .nanoseconds(period))
        _ = machine.received(bytesReceived: 1, isInsideData: true, now: self.start)
        _ = machine.timerFired(bytesReceived: .max, now: self.start)
    }
}
