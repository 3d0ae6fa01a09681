import NIOCore
import ProtoFraming
import Testing

@testable import ProtoRPC

@Suite struct ClientConnectionStateMachineTests {
    private typealias Machine = ClientConnectionStateMachine<String>
    private let start = NIODeadline.uptimeNanoseconds(1_000)
    private let later = NIODeadline.uptimeNanoseconds(2_000)

    @Test("G2-04 ids start at 1 and rise by 2")
    func ids() {
        var machine = Machine(streamIDs: 1..<100)
        #expect(machine.start("a", deadline: self.later, now: self.start) == .send(streamID: 1, setTimer: self.later))
        #expect(machine.start("b", deadline: self.later, now: self.start) == .send(streamID: 3, setTimer: nil))
        #expect(machine.start("c", deadline: self.later, now: self.start) == .send(streamID: 5, setTimer: nil))
    }

    @Test("G2-04 a connection is worn out before its ids end, and refuses calls when they have ended")
    func wornOut() {
        var machine = Machine(streamIDs: 0x7fff_fffd..<0x7fff_ffff)
        #expect(!machine.isWornOut)
        #expect(machine.start("a", deadline: self.later, now: self.start) != Self.refused)
        #expect(machine.isWornOut)
        #expect(
            machine.start("b", deadline: self.later, now: self.start) == .send(streamID: 0x7fff_ffff, setTimer: nil)
        )
        #expect(machine.start("c", deadline: self.later, now: self.start) == Self.refused)
    }

    @Test("G4-03 a call gets one answer; frames after it are nobody's")
    func oneAnswer() {
        var machine = Machine(streamIDs: 1..<100)
        _ = machine.start("a", deadline: self.later, now: self.start)
        #expect(machine.responseReceived(streamID: 3) == nil)
        #expect(machine.responseReceived(streamID: 1) == "a")
        #expect(machine.responseReceived(streamID: 1) == nil)
        #expect(machine.data(1) == .nobody)
    }

    @Test("T-24 a connection on which nothing came for long is given up, one that is slow is not")
    func silence() {
        var machine = Machine(streamIDs: 1..<100)
        let end = self.start + .seconds(30)
        _ = machine.start("a", deadline: self.later, now: self.start)
        #expect(!machine.timerFired(now: self.later).isSilent, "a short deadline says nothing")
        _ = machine.start("b", deadline: end, now: self.start + .seconds(20))
        #expect(machine.timerFired(now: end).isSilent, "silent as long as there was somebody to answer")
        machine.bytesReceived(now: end)
        _ = machine.start("c", deadline: end + .seconds(30), now: end)
        _ = machine.start("d", deadline: end + .seconds(40), now: end)
        machine.bytesReceived(now: end + .seconds(25))
        #expect(!machine.timerFired(now: end + .seconds(30)).isSilent, "it answers others")
        #expect(!machine.timerFired(now: end + .seconds(39)).isSilent, "nobody's time is over")
        #expect(machine.timerFired(now: end + .seconds(40)).isSilent)
    }

    @Test("T-24 a stream without messages says nothing of the connection")
    func silentStream() {
        var machine = Machine(streamIDs: 1..<100)
        let end = self.start + .seconds(60)
        _ = machine.start("stream", isStream: true, deadline: end + .seconds(60), now: self.start)
        _ = machine.start("call", deadline: end + .seconds(1), now: end)
        #expect(!machine.timerFired(now: end + .seconds(1)).isSilent, "a short deadline says nothing")
        #expect(!machine.timerFired(now: end + .seconds(60)).isSilent, "the stream was not due")
        _ = machine.start("call", deadline: end + .seconds(80), now: end + .seconds(60))
        #expect(machine.timerFired(now: end + .seconds(80)).isSilent)
    }

    @Test func dataOrAnOversizedAnswerEndsItsCall() {
        var machine = Machine(streamIDs: 1..<100)
        for call in ["a", "b", "c"] {
            _ = machine.start(call, deadline: self.later, now: self.start)
        }
        #expect(machine.data(1) == .failed("a"))
        #expect(machine.data(1) == .nobody)
        #expect(machine.oversizedReceived(FrameHeader(length: 9, streamID: 3, type: .request)) == nil)
        #expect(machine.oversizedReceived(FrameHeader(length: 9, streamID: 3, type: .response)) == "b")
        #expect(machine.oversizedReceived(FrameHeader(length: 9, streamID: 5, type: .data)) == "c")
    }

    @Test("G4-03 data of a stream is its caller's until the response or until it is forgotten")
    func streamData() {
        var machine = Machine(streamIDs: 1..<100)
        for call in ["a", "b"] {
            _ = machine.start(call, isStream: true, deadline: self.later, now: self.start)
        }
        #expect(machine.data(1) == .delivered("a"))
        #expect(machine.data(1) == .delivered("a"))
        #expect(machine.responseReceived(streamID: 1) == "a")
        #expect(machine.data(1) == .nobody)
        #expect(machine.forget(streamID: 3) == true)
        #expect(machine.forget(streamID: 3) == false)
        #expect(machine.data(3) == .nobody)
    }

    @Test("G6-03 a call whose answer does not matter takes an id and holds nothing up")
    func unwatched() {
        var machine = Machine(streamIDs: 1..<100)
        #expect(machine.startUnwatched() == 1)
        #expect(machine.start("a", deadline: self.later, now: self.start) == .send(streamID: 3, setTimer: self.later))
        machine.retire()
        _ = machine.responseReceived(streamID: 3)
        #expect(machine.shouldClose)
        _ = machine.connectionClosed()
        #expect(machine.startUnwatched() == nil)
    }

    @Test func aForgottenCallIsNobodys() {
        var machine = Machine(streamIDs: 1..<100)
        _ = machine.start("a", deadline: self.later, now: self.start)
        machine.forget(streamID: 1)
        #expect(machine.responseReceived(streamID: 1) == nil)
        #expect(machine.connectionClosed() == [])
    }

    @Test func callsWhoseTimeIsOverAreToldAndTheNextDeadlineIsFound() {
        var machine = Machine(streamIDs: 1..<100)
        let times = [30, 10, 20].map { self.start + .nanoseconds($0) }
        #expect(machine.start("a", deadline: times[0], now: self.start) == .send(streamID: 1, setTimer: times[0]))
        #expect(machine.start("b", deadline: times[1], now: self.start) == .send(streamID: 3, setTimer: times[1]))
        #expect(machine.start("c", deadline: times[2], now: self.start) == .send(streamID: 5, setTimer: nil))
        let expiry = machine.timerFired(now: times[1])
        #expect(expiry.expired == ["b"])
        #expect(expiry.setTimer == times[2])
        #expect(machine.responseReceived(streamID: 3) == nil)
        #expect(machine.timerFired(now: self.later).expired.sorted() == ["a", "c"])
    }

    @Test func aCallWhoseTimeIsOverIsNotSent() {
        var machine = Machine(streamIDs: 1..<100)
        var expected = RPCError.deadlineExceeded
        expected.notSent = true
        #expect(machine.start("a", deadline: self.start, now: self.start) == .refuse(expected))
    }

    @Test func aRetiringConnectionClosesAfterItsLastCall() {
        var machine = Machine(streamIDs: 1..<100)
        _ = machine.start("a", deadline: self.later, now: self.start)
        #expect(!machine.shouldClose)
        machine.retire()
        #expect(!machine.shouldClose)
        _ = machine.responseReceived(streamID: 1)
        #expect(machine.shouldClose)
    }

    @Test("G6-05 a retiring connection does not wait for the stream that watches it")
    func background() {
        var machine = Machine(streamIDs: 1..<100)
        _ = machine.start("watch", isStream: true, isBackground: true, deadline: self.later, now: self.start)
        _ = machine.start("a", deadline: self.later, now: self.start)
        machine.retire()
        #expect(!machine.shouldClose)
        _ = machine.responseReceived(streamID: 3)
        #expect(machine.shouldClose)
        _ = machine.responseReceived(streamID: 1)
        #expect(machine.shouldClose)
        #expect(machine.connectionClosed() == [])
    }

    @Test("G6-05 a drained connection gives back what was not accepted, keeps the rest and takes no more")
    func drained() {
        var machine = Machine(streamIDs: 1..<100)
        for call in ["a", "b", "c"] {
            _ = machine.start(call, deadline: self.later, now: self.start)
        }
        #expect(machine.drained(lastAccepted: 1 << 31 - 1) == [])
        let refusal = RPCError(code: .unavailable, message: "the server is about to stop", notSent: true)
        #expect(machine.start("d", deadline: self.later, now: self.start) == .refuse(refusal))
        #expect(machine.startUnwatched() == 7, "pings go on")
        #expect(machine.drained(lastAccepted: 3) == ["c"])
        #expect(machine.drained(lastAccepted: 3) == [])
        #expect(machine.responseReceived(streamID: 5) == nil)
        #expect(machine.responseReceived(streamID: 3) == "b")
        #expect(machine.connectionClosed() == ["a"])
    }

    @Test func aLostConnectionTellsEveryCallOnceAndTakesNoMore() {
        var machine = Machine(streamIDs: 1..<100)
        _ = machine.start("a", deadline: self.later, now: self.start)
        _ = machine.start("b", deadline: self.later, now: self.start)
        #expect(machine.connectionClosed().sorted() == ["a", "b"])
        #expect(machine.connectionClosed() == [])
        #expect(machine.start("c", deadline: self.later, now: self.start) == Self.refused)
    }

    private static let refused = Machine.StartAction.refuse(
        RPCError(code: .unavailable, message: "the connection takes no more calls", notSent: true)
    )
}

/// What a data frame led to, in a form that can be compared.
private enum DataOutcome: Equatable {
    case nobody
    case delivered(String)
    case failed(String)
}

extension ClientConnectionStateMachine<String> {
    fileprivate mutating func data(_ streamID: UInt32) -> DataOutcome {
        switch self.dataReceived(streamID: streamID) {
        case .ignore: .nobody
        case .deliver(let call): .delivered(call)
        case .fail(let call): .failed(call)
        }
    }
}
