import ProtoRPC
import SchedulerCore
import SchedulerEngines
import Testing

@testable import SchedulerService

struct EngineCallStateMachineTests {
    private typealias Machine = EngineCallStateMachine<String>

    private static let answered = EngineAnswer.answered(EngineResponse(status: 200, body: []))

    private static func failed(_ kind: AttemptFailure.Kind = .unreachable, mayHaveRun: Bool = false) -> EngineAnswer {
        .failed(AttemptFailure(kind: kind, mayHaveRun: mayHaveRun, message: "gone"))
    }

    /// What an action is, in words.
    private func text(_ action: Machine.Action) -> String {
        switch action {
        case .none: "none"
        case .requestPlace: "request a place"
        case .withdraw: "withdraw"
        case .send(let place): "send to \(place)"
        case .cancelTransfer: "cancel the transfer"
        case .end(let error, let place): "end \(error?.code ?? .ok), leave \(place ?? "nothing")"
        case .tryAgain(let place): "leave \(place), try again"
        }
    }

    private func sending() -> Machine {
        var machine = Machine()
        #expect(self.text(machine.begin()) == "request a place")
        #expect(self.text(machine.placed("A")) == "send to A")
        return machine
    }

    @Test func aWholeAnswerEndsItAndGivesThePlaceBack() {
        var machine = self.sending()
        #expect(self.text(machine.answered(Self.answered, canRepeat: true)) == "end OK, leave A")
        #expect(self.text(machine.cancel()) == "none")
        #expect(self.text(machine.answered(Self.answered, canRepeat: true)) == "none")
    }

    @Test func aRequestThatDidNotReachItsEngineGoesToAnotherOneTwoTimes() {
        var machine = self.sending()
        for place in ["B", "C"] {
            let left = place == "B" ? "A" : "B"
            #expect(self.text(machine.answered(Self.failed(), canRepeat: true)) == "leave \(left), try again")
            #expect(self.text(machine.placed(place)) == "send to \(place)")
        }
        #expect(self.text(machine.answered(Self.failed(), canRepeat: true)) == "end UNAVAILABLE, leave C")
    }

    @Test("what may have run, what cannot be repeated and what is not wanted any more is sent once")
    func sentOnce() {
        var machine = self.sending()
        #expect(self.text(machine.answered(Self.failed(mayHaveRun: true), canRepeat: true)) == "end UNKNOWN, leave A")
        machine = self.sending()
        #expect(self.text(machine.answered(Self.failed(), canRepeat: false)) == "end UNAVAILABLE, leave A")
        machine = self.sending()
        let broken = machine.answered(Self.failed(.broken, mayHaveRun: true), canRepeat: true)
        #expect(self.text(broken) == "end UNKNOWN, leave A")
        machine = self.sending()
        #expect(self.text(machine.cancel()) == "cancel the transfer")
        #expect(self.text(machine.cancel()) == "none")
        #expect(self.text(machine.answered(Self.failed(), canRepeat: true)) == "end UNAVAILABLE, leave A")
    }

    @Test func whoeverLeavesWhileItWaitsGivesAPlaceBackThatComesAllTheSame() {
        for outcome in ["placed", "withdrawn", "refused"] {
            var machine = Machine()
            _ = machine.begin()
            #expect(self.text(machine.cancel()) == "withdraw")
            #expect(machine.isLeaving)
            let end =
                switch outcome {
                case "placed": machine.placed("A")
                case "withdrawn": machine.withdrawn()
                default: machine.refused(RPCError(code: .unavailable, message: "no"))
                }
            #expect(!machine.isLeaving)
            switch outcome {
            case "placed": #expect(self.text(end) == "end CANCELLED, leave A")
            case "withdrawn": #expect(self.text(end) == "end CANCELLED, leave nothing")
            default: #expect(self.text(end) == "end UNAVAILABLE, leave nothing")
            }
            #expect(self.text(machine.cancel()) == "none")
        }
    }

    @Test func whatIsCancelledBeforeItBeginsEndsWhenItBegins() {
        var machine = Machine()
        #expect(self.text(machine.cancel()) == "none")
        #expect(self.text(machine.begin()) == "end CANCELLED, leave nothing")
        #expect(self.text(machine.begin()) == "none")
    }

    @Test func refusalsEndItAndACancelledTransferIsCancelled() {
        var machine = Machine()
        _ = machine.begin()
        let refused = machine.refused(RPCError(code: .notFound, message: "no"))
        #expect(self.text(refused) == "end NOT_FOUND, leave nothing")
        machine = self.sending()
        _ = machine.cancel()
        #expect(self.text(machine.answered(.cancelled, canRepeat: true)) == "end CANCELLED, leave A")
    }
}
