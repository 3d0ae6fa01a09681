import Testing

@testable import ProtoRPC

@Suite struct ClientLinkStateMachineTests {
    private typealias Machine = ClientLinkStateMachine<String>

    private func machine(jitter: Double = 1) -> Machine {
        Machine(backOff: BackOff(minimum: .milliseconds(50), maximum: .seconds(5), jitter: { jitter }))
    }

    @Test func beforeAndDuringTheFirstAttemptAConnectionComesSoon() {
        var machine = self.machine()
        #expect(machine.isSoon)
        machine.attemptBegins()
        #expect(machine.isSoon)
        let taken = machine.attemptSucceeded("a")
        #expect(taken)
        #expect(machine.connection == "a")
    }

    @Test func failuresAreSpacedMoreAndMoreUpToTheMaximum() {
        var machine = self.machine()
        var delays: [Machine.NextStep] = []
        for _ in 0..<9 {
            delays.append(machine.attemptFailed("refused"))
            #expect(machine.reason == "refused")
            machine.attemptBegins()
            #expect(machine.reason == "refused")
        }
        let milliseconds = [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]
        #expect(delays == milliseconds.map { .connectAfter(.milliseconds($0)) })
    }

    @Test func jitterTakesAwayUpToHalf() {
        for (jitter, milliseconds) in [(0.0, 25), (1.0, 50), (-3.0, 25), (7.0, 50)] {
            var machine = self.machine(jitter: jitter)
            #expect(machine.attemptFailed("refused") == .connectAfter(.milliseconds(milliseconds)))
        }
    }

    @Test("T-25 clients that have lost the same server come back over half of the longest wait, and not together")
    func reconnectStorm() {
        let clients = 1_000
        let waits = (0..<clients).map { _ in
            var machine = Machine(backOff: BackOff())
            _ = machine.attemptSucceeded("a")
            _ = machine.connectionEnded(wasUseful: true)
            var step = machine.attemptFailed("refused")
            for _ in 0..<7 {
                machine.attemptBegins()
                step = machine.attemptFailed("refused")
            }
            guard case .connectAfter(let wait) = step else { return Duration.zero }
            return wait
        }
        #expect(waits.allSatisfy { $0 >= .milliseconds(2_500) && $0 <= .seconds(5) })
        let slices = Dictionary(grouping: waits) { Int(($0 - .milliseconds(2_500)) / .milliseconds(250)) }
        // About a hundred in each of the ten quarters of a second; so far from it comes one run in many millions.
        #expect((0..<10).allSatisfy { (40...170).contains(slices[$0]?.count ?? 0) })
    }

    @Test func afterAConnectionThatAnsweredTheNextAttemptFollowsAtOnceAndCallsWaitForIt() {
        var machine = self.machine()
        _ = machine.attemptFailed("refused")
        _ = machine.attemptSucceeded("a")
        #expect(machine.connectionEnded(wasUseful: true) == .connectNow)
        #expect(machine.isSoon)
        #expect(machine.attemptFailed("refused") == .connectAfter(.milliseconds(50)))
    }

    @Test func aConnectionThatNeverAnsweredCountsAsAFailure() {
        var machine = self.machine()
        for milliseconds in [50, 100, 200] {
            _ = machine.attemptSucceeded("a")
            #expect(machine.connectionEnded(wasUseful: false) == .connectAfter(.milliseconds(milliseconds)))
            machine.attemptBegins()
        }
    }

    @Test func aStoppedLinkGivesItsConnectionBackAndTakesNoOther() {
        var machine = self.machine()
        _ = machine.attemptSucceeded("a")
        #expect(machine.stop() == "a")
        #expect(machine.stop() == nil)
        #expect(machine.reason == "the client is stopped")
        let taken = machine.attemptSucceeded("b")
        #expect(!taken)
        #expect(machine.attemptFailed("refused") == .stop)
        #expect(machine.connectionEnded(wasUseful: true) == .stop)
    }
}

extension ClientLinkStateMachine<String> {
    fileprivate var isSoon: Bool {
        if case .soon = self.availability { true } else { false }
    }

    fileprivate var connection: String? {
        if case .ready(let connection) = self.availability { connection } else { nil }
    }

    fileprivate var reason: String? {
        if case .unavailable(let reason) = self.availability { reason } else { nil }
    }
}
