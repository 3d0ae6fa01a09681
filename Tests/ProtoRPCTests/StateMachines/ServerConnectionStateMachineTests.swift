import NIOCore
import ProtoFraming
import TestSupport
import Testing

@testable import ProtoRPC

@Suite struct ServerConnectionStateMachineTests {
    private typealias Machine = ServerConnectionStateMachine<String>
    private let start = NIODeadline.uptimeNanoseconds(1_000)

    private func machine(maximumStreams: Int = 8, strict: Bool = false) -> Machine {
        Machine(maximumStreams: maximumStreams, strictStreamIDs: strict)
    }

    @Test func anAcceptedCallIsAnsweredOnce() {
        var machine = self.machine()
        #expect(machine.open(1) == .accepted)
        #expect(machine.begin("a", 1, at: self.start) == .run(setTimer: nil))
        #expect(machine.finished(streamID: 1) == .sendAnswer)
        #expect(machine.finished(streamID: 1) == .dropAnswer)
    }

    @Test("G5-01 reusing the id of a running call ends that call, so that one answer goes out")
    func reuse() {
        var machine = self.machine()
        _ = machine.open(1)
        _ = machine.begin("a", 1, at: self.start)
        #expect(machine.open(1) == .refused(.invalidArgument, cancel: "a"))
        #expect(machine.finished(streamID: 1) == .dropAnswer)
    }

    @Test("G6-11 a call holds its place until its task ends, also when it was answered before")
    func places() {
        var machine = self.machine(maximumStreams: 1)
        _ = machine.open(1)
        #expect(machine.begin("a", 1, timeout: 10, at: self.start) == .run(setTimer: self.start + .nanoseconds(10)))
        #expect(machine.timerFired(now: self.start + .nanoseconds(10)).expired.map(\.call) == ["a"])
        _ = machine.open(3)
        #expect(machine.begin("b", 3, at: self.start) == .answer(.limit("more than 1 calls in flight on a connection")))
        #expect(machine.finished(streamID: 1) == .dropAnswer)
        _ = machine.open(5)
        #expect(machine.begin("c", 5, at: self.start) == .run(setTimer: nil))
    }

    @Test("G3-05 negative timeouts are over, 0 is none, large ones do not overflow")
    func timeouts() {
        var machine = self.machine()
        _ = machine.open(1)
        #expect(machine.begin("a", 1, timeout: -1, at: self.start) == .answer(.deadlineExceeded))
        _ = machine.open(3)
        #expect(machine.begin("b", 3, timeout: 0, at: self.start) == .run(setTimer: nil))
        _ = machine.open(5)
        #expect(machine.begin("c", 5, timeout: .max, at: self.start) == .run(setTimer: self.start + .longest))
    }

    @Test func theTimerIsSetForTheEarliestDeadlineOnly() {
        var machine = self.machine()
        for (streamID, timeout, timer) in [(UInt32(1), Int64(50), Int64?(50)), (3, 70, nil), (5, 20, 20)] {
            _ = machine.open(streamID)
            let expected = timer.map { self.start + .nanoseconds($0) }
            #expect(
                machine.begin("\(streamID)", streamID, timeout: timeout, at: self.start) == .run(setTimer: expected)
            )
        }
        let first = machine.timerFired(now: self.start + .nanoseconds(20))
        #expect(first.expired.map(\.streamID) == [5])
        #expect(first.setTimer == self.start + .nanoseconds(50))
        let second = machine.timerFired(now: self.start + .nanoseconds(80))
        #expect(second.expired.map(\.streamID) == [1, 3], "the first to end first")
        #expect(second.setTimer == nil)
    }

    @Test func aTimerThatFiresForACallThatEndedOnlyFindsTheNextDeadline() {
        var machine = self.machine()
        for (streamID, timeout) in [(UInt32(1), Int64(10)), (3, 30)] {
            _ = machine.open(streamID)
            _ = machine.begin("\(streamID)", streamID, timeout: timeout, at: self.start)
        }
        #expect(machine.finished(streamID: 1) == .sendAnswer)
        let expiry = machine.timerFired(now: self.start + .nanoseconds(10))
        #expect(expiry.expired.isEmpty)
        #expect(expiry.setTimer == self.start + .nanoseconds(30))
    }

    @Test("G2-05 data of a refused stream is passed over until its end, then refused")
    func refusedStream() {
        var machine = self.machine()
        _ = machine.open(1, [.remoteOpen])
        machine.refused(streamID: 1, flags: [.remoteOpen])
        #expect(machine.data(1) == .ignored)
        #expect(machine.data(1, [.remoteClosed, .noData]) == .ignored)
        #expect(machine.data(1) == .refused(.invalidArgument, cancel: nil))
    }

    @Test("G4-02 data for no stream is refused, G5-06 data for a call cancels it")
    func data() {
        var machine = self.machine()
        #expect(machine.data(1) == .refused(.invalidArgument, cancel: nil))
        _ = machine.open(1)
        _ = machine.begin("a", 1, at: self.start)
        #expect(machine.data(1) == .refused(.invalidArgument, cancel: "a"))
        #expect(machine.finished(streamID: 1) == .dropAnswer)
    }

    @Test("G4-02 data of a running stream is its call's until it is answered, G6-03 which a cancel does once")
    func streamData() {
        var machine = self.machine()
        _ = machine.open(1, [.remoteOpen, .noData])
        _ = machine.begin("a", 1, isStream: true, at: self.start)
        #expect(machine.data(1) == .delivered("a"))
        #expect(machine.data(1, [.remoteClosed, .noData]) == .delivered("a"))
        #expect(machine.answered(streamID: 1) == "a")
        #expect(machine.answered(streamID: 1) == nil)
        #expect(machine.answered(streamID: 3) == nil)
        #expect(machine.data(1) == .refused(.invalidArgument, cancel: nil))
        #expect(machine.finished(streamID: 1) == .dropAnswer)
    }

    @Test("G5-03 an oversized request uses its id up")
    func oversized() {
        var machine = self.machine()
        #expect(machine.oversized(1, .request) == .refused(.resourceExhausted, cancel: nil))
        #expect(machine.open(1) == .refused(.invalidArgument, cancel: nil))
        #expect(machine.oversized(2, .request) == .refused(.invalidArgument, cancel: nil))
        #expect(machine.oversized(3, .request, [.remoteOpen]) == .refused(.resourceExhausted, cancel: nil))
        #expect(machine.oversized(3, .data) == .ignored)
        #expect(machine.oversized(5, .data) == .refused(.resourceExhausted, cancel: nil))
        #expect(machine.oversized(7, .response) == .ignored)
    }

    @Test("G6-05 draining refuses new calls and closes after the last answer")
    func drain() {
        var machine = self.machine()
        _ = machine.open(1)
        _ = machine.begin("a", 1, at: self.start)
        #expect(!machine.shouldClose)
        #expect(machine.drain(isWatched: false, nonce: 7) == .tellLast)
        #expect(machine.drain(isWatched: true, nonce: 7) == .none)
        #expect(!machine.shouldClose)
        #expect(machine.open(3) == .accepted, "the calls of the Session service are answered to the end")
        let refusal = RPCError.notAccepted("draining: the server takes no new calls")
        #expect(machine.begin("b", 3, at: self.start) == .answer(refusal))
        _ = machine.open(5, [.remoteOpen])
        machine.refused(streamID: 5, flags: [.remoteOpen])
        #expect(machine.data(5) == .ignored)
        #expect(machine.finished(streamID: 1) == .sendAnswer)
        #expect(machine.shouldClose)
    }

    @Test("G6-05 a client that is told first has what it sent before it answered accepted")
    func drainInTwoSteps() {
        var machine = self.machine()
        #expect(machine.pinged(nonce: 7) == .none)
        #expect(machine.drain(isWatched: true, nonce: 7) == .tellFirst)
        #expect(machine.isDraining)
        #expect(!machine.shouldClose, "more may be on its way")
        #expect(machine.open(1) == .accepted)
        #expect(machine.begin("a", 1, at: self.start) == .run(setTimer: nil))
        #expect(machine.pinged(nonce: 0) == .none, "a ping that was on its way says nothing")
        #expect(machine.pinged(nonce: 7) == .tellLast)
        #expect(machine.lastStreamID == 1)
        #expect(machine.pinged(nonce: 7) == .none)
        #expect(machine.drainNoticeEnded() == .none)
        #expect(machine.open(3) == .accepted)
        let refusal = RPCError.notAccepted("draining: the server takes no new calls")
        #expect(machine.begin("b", 3, at: self.start) == .answer(refusal))
        #expect(machine.finished(streamID: 1) == .sendAnswer)
        #expect(machine.shouldClose)
        #expect(machine.open(5) == .accepted)
        let watch = machine.start(
            "watch",
            streamID: 5,
            isStream: true,
            isWatch: true,
            timeoutNanoseconds: 0,
            now: self.start
        )
        #expect(watch == .run(setTimer: nil), "who asks late is told as well")
        #expect(!machine.shouldClose)
    }

    @Test("G6-05 a client that does not answer the first notice is told the last one all the same")
    func drainWithoutAnAnswer() {
        var machine = self.machine()
        #expect(machine.drainNoticeEnded() == .none)
        _ = machine.drain(isWatched: true, nonce: 7)
        #expect(machine.drainNoticeEnded() == .tellLast)
        #expect(machine.isDraining)
        #expect(machine.shouldClose)
        _ = machine.connectionClosed()
        #expect(machine.drain(isWatched: true, nonce: 8) == .none)
    }

    @Test func drainingDoesNotWaitForACallThatWasAnsweredAtItsDeadline() {
        var machine = self.machine()
        _ = machine.open(1)
        _ = machine.begin("a", 1, timeout: 10, at: self.start)
        _ = machine.drain(isWatched: false, nonce: 7)
        _ = machine.timerFired(now: self.start + .nanoseconds(10))
        #expect(machine.shouldClose)
    }

    @Test func afterTheConnectionClosedNothingIsAnswered() {
        var machine = self.machine()
        _ = machine.open(1)
        _ = machine.begin("a", 1, timeout: 10, at: self.start)
        _ = machine.drain(isWatched: false, nonce: 7)
        #expect(machine.connectionClosed() == ["a"])
        #expect(machine.finished(streamID: 1) == .dropAnswer)
        #expect(machine.open(3) == .ignored)
        #expect(machine.data(3) == .ignored)
        #expect(machine.oversized(3, .request) == .ignored)
        #expect(machine.timerFired(now: self.start + .nanoseconds(10)).expired.isEmpty)
        #expect(!machine.shouldClose)
    }

    @Test("random events: each accepted call is answered at most once and places come back", arguments: 0..<50)
    func random(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var machine = self.machine(maximumStreams: 4)
        var running: Set<UInt32> = []
        var answered: Set<UInt32> = []
        var now = self.start
        for _ in 0..<500 {
            let streamID = UInt32.random(in: 0...300, using: &random)
            switch Int.random(in: 0...4, using: &random) {
            case 0, 1:
                if machine.open(streamID) == .accepted {
                    #expect(!answered.contains(streamID) && !running.contains(streamID), "seed \(seed)")
                    let timeout = Int64.random(in: 0...40, using: &random)
                    if case .run = machine.begin("\(streamID)", streamID, timeout: timeout, at: now) {
                        #expect(running.count < 4, "seed \(seed)")
                        running.insert(streamID)
                    }
                }
            case 2:
                if case .refused(_, let cancelled?) = machine.data(streamID) {
                    #expect(answered.insert(UInt32(cancelled) ?? 0).inserted, "seed \(seed)")
                }
            case 3:
                now = now + .nanoseconds(Int64.random(in: 0...20, using: &random))
                for (streamID, _) in machine.timerFired(now: now).expired {
                    #expect(answered.insert(streamID).inserted, "seed \(seed)")
                }
            default:
                guard let ended = running.randomElement(using: &random) else { continue }
                running.remove(ended)
                if machine.finished(streamID: ended) == .sendAnswer {
                    #expect(answered.insert(ended).inserted, "seed \(seed)")
                }
            }
        }
        for streamID in running where machine.finished(streamID: streamID) == .sendAnswer {
            #expect(answered.insert(streamID).inserted, "seed \(seed)")
        }
        _ = machine.drain(isWatched: false, nonce: 7)
        #expect(machine.shouldClose, "seed \(seed)")
    }
}

/// What a frame led to, in a form that can be compared.
private enum Outcome: Equatable {
    case accepted
    case refused(RPCStatus.Code, cancel: String?)
    case ignored
    case delivered(String)
}

extension ServerConnectionStateMachine<String> {
    fileprivate mutating func open(_ streamID: UInt32, _ flags: FrameFlags = []) -> Outcome {
        switch self.requestReceived(streamID: streamID, flags: flags) {
        case .readEnvelope: .accepted
        case .answer(let error, let call): .refused(error.code, cancel: call)
        case .ignore: .ignored
        }
    }

    fileprivate mutating func begin(
        _ call: String,
        _ streamID: UInt32,
        timeout: Int64 = 0,
        isStream: Bool = false,
        at now: NIODeadline
    ) -> StartAction {
        self.start(call, streamID: streamID, isStream: isStream, timeoutNanoseconds: timeout, now: now)
    }

    fileprivate mutating func data(_ streamID: UInt32, _ flags: FrameFlags = []) -> Outcome {
        Self.outcome(self.dataReceived(streamID: streamID, flags: flags))
    }

    fileprivate mutating func oversized(
        _ streamID: UInt32,
        _ type: FrameType,
        _ flags: FrameFlags = []
    ) -> Outcome {
        let header = FrameHeader(length: 5_000_000, streamID: streamID, type: type, flags: flags)
        return Self.outcome(self.oversizedReceived(header, maximumDataBytes: 4_000_000))
    }

    private static func outcome(_ action: FrameAction) -> Outcome {
        switch action {
        case .ignore: .ignored
        case .deliver(let call): .delivered(call)
        case .answer(let error, let call): .refused(error.code, cancel: call)
        }
    }
}
