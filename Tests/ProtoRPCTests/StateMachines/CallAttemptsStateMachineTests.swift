import NIOCore
import Testing

@testable import ProtoRPC

@Suite struct CallAttemptsStateMachineTests {
    private typealias Machine = CallAttemptsStateMachine
    private let first = RPCClient.Endpoint(host: "a", port: 1)
    private let second = RPCClient.Endpoint(host: "b", port: 1)
    private let notRun = RPCError(code: .unavailable, message: "not run", notSent: true)
    private let unknown = RPCError(code: .unavailable, message: "lost")

    private func machine(mayRunTwice: Bool = false, attempts: Int = 4) -> Machine {
        let backOff = BackOff(minimum: .milliseconds(50), maximum: .milliseconds(80), jitter: { 1 })
        return Machine(policy: RetryPolicy(maximumAttempts: attempts, backOff: backOff), mayRunTwice: mayRunTwice)
    }

    @Test("G6-09 a call that was not run is made again, elsewhere at once, on the same server after a pause")
    func notRunIsMadeAgain() {
        var machine = self.machine()
        machine.begin(at: self.first)
        #expect(machine.tried == [self.first])
        #expect(
            machine.failed(self.notRun, goesElsewhere: true, remaining: .seconds(1)) == .again(after: .zero)
        )
        machine.begin(at: self.second)
        #expect(machine.tried == [self.first, self.second])
        #expect(
            machine.failed(self.notRun, goesElsewhere: false, remaining: .seconds(1))
                == .again(after: .milliseconds(50))
        )
        #expect(machine.tried == [], "after a pause all may be tried again")
        #expect(
            machine.failed(self.notRun, goesElsewhere: false, remaining: .seconds(1))
                == .again(after: .milliseconds(80))
        )
        #expect(machine.failed(self.notRun, goesElsewhere: true, remaining: .seconds(1)) == .giveUp(self.notRun))
    }

    @Test("G6-09 a call that may have been run is made again only when that does no harm")
    func mayHaveRun() {
        var once = self.machine()
        #expect(once.failed(self.unknown, goesElsewhere: true, remaining: .seconds(1)) == .giveUp(self.unknown))
        var harmless = self.machine(mayRunTwice: true)
        #expect(harmless.failed(self.unknown, goesElsewhere: true, remaining: .seconds(1)) == .again(after: .zero))
    }

    @Test(
        "G6-09 nothing but UNAVAILABLE is made again, and UNIMPLEMENTED elsewhere",
        arguments: RPCStatus.Code.allCases
    )
    func codes(code: RPCStatus.Code) {
        for notSent in [false, true] {
            var machine = self.machine(mayRunTwice: true)
            let error = RPCError(code: code, message: "", notSent: notSent)
            let decision = machine.failed(error, goesElsewhere: true, remaining: .seconds(1))
            let isMadeAgain = code == .unavailable || code == .unimplemented && notSent
            #expect(decision == (isMadeAgain ? .again(after: .zero) : .giveUp(error)))
        }
    }

    @Test("what a server has no method for is asked of another one, and of none twice")
    func unimplemented() {
        var machine = self.machine()
        let error = RPCError(code: .unimplemented, message: "no such method", notSent: true)
        machine.begin(at: self.first)
        #expect(machine.failed(error, goesElsewhere: true, remaining: .seconds(1)) == .again(after: .zero))
        machine.begin(at: self.second)
        #expect(machine.tried == [self.first, self.second])
        #expect(machine.failed(error, goesElsewhere: false, remaining: .seconds(1)) == .giveUp(error))
    }

    @Test("G6-09 the call's time bounds the attempts")
    func deadline() {
        var machine = self.machine()
        #expect(
            machine.failed(self.notRun, goesElsewhere: false, remaining: .milliseconds(50)) == .giveUp(self.notRun)
        )
        #expect(machine.failed(self.notRun, goesElsewhere: true, remaining: .zero) == .giveUp(self.notRun))
    }

    @Test func aCallThatMayHaveRunOnceIsNeverSaidNotToHaveRun() {
        var machine = self.machine(mayRunTwice: true, attempts: 2)
        _ = machine.failed(self.unknown, goesElsewhere: true, remaining: .seconds(1))
        guard case .giveUp(let error) = machine.failed(self.notRun, goesElsewhere: true, remaining: .seconds(1)) else {
            Issue.record("a third attempt")
            return
        }
        #expect(!error.notSent)
        #expect(!machine.final(self.notRun).notSent)
        #expect(error.message == "not run")
    }

    @Test func withoutAConnectionACallFailsAtOnceUnlessItWasMadeBefore() {
        var machine = self.machine()
        #expect(machine.foundNone(self.notRun, remaining: .seconds(1)) == .giveUp(self.notRun))
        _ = machine.failed(self.notRun, goesElsewhere: true, remaining: .seconds(1))
        #expect(machine.foundNone(self.notRun, remaining: .seconds(1)) == .again(after: .milliseconds(50)))
        let late = RPCError(code: .deadlineExceeded, message: "", notSent: true)
        #expect(machine.foundNone(late, remaining: .seconds(1)) == .giveUp(late))
    }

    @Test func oneAttemptIsOneAttempt() {
        var machine = self.machine(mayRunTwice: true, attempts: 1)
        #expect(machine.failed(self.notRun, goesElsewhere: true, remaining: .seconds(1)) == .giveUp(self.notRun))
    }

    @Test("a server's prospects: not tried before tried, trusted before suspect, idle before busy")
    func prospects() {
        var all: [ServerProspects] = []
        for wasTried in [false, true] {
            for isSuspect in [false, true] {
                for load in 0..<2 {
                    all.append(ServerProspects(wasTried: wasTried, isSuspect: isSuspect, load: load))
                }
            }
        }
        #expect(all.reversed().sorted() == all)
        for server in all { #expect(!(server < server)) }
    }
}
