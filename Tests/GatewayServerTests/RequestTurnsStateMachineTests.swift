import NIOCore
import NIOHTTP1
import Testing

@testable import GatewayServer

/// Who answers the requests of a connection, in their order.
struct RequestTurnsStateMachineTests {
    private static func head(_ uri: String) -> HTTPServerRequestPart {
        .head(HTTPRequestHead(version: .http1_1, method: .POST, uri: uri))
    }

    private static func isForHere(_ head: HTTPRequestHead) -> Bool { head.uri == "/here" }

    @Test func eachRequestIsTakenOrPassedWithItsBody() {
        var turns = RequestTurnsStateMachine()
        #expect(turns.received(Self.head("/here"), isForHere: Self.isForHere) == .take)
        #expect(turns.received(.body(.init(string: "x")), isForHere: Self.isForHere) == .take)
        #expect(turns.received(.end(nil), isForHere: Self.isForHere) == .take)
        #expect(turns.isBusy && !turns.isHolding)
        turns.endedHere()
        #expect(!turns.isBusy)
        // Those behind queue by themselves.
        for _ in 0..<2 {
            #expect(turns.received(Self.head("/there"), isForHere: Self.isForHere) == .pass)
            #expect(turns.received(.end(nil), isForHere: Self.isForHere) == .pass)
        }
        #expect(!turns.isBusy)
    }

    @Test(arguments: ["/here", "/there"])
    func whatComesWhileOneIsAnsweredHereWaitsForIt(_ second: String) {
        var turns = RequestTurnsStateMachine()
        _ = turns.received(Self.head("/here"), isForHere: Self.isForHere)
        _ = turns.received(.end(nil), isForHere: Self.isForHere)
        for part in [Self.head(second), .end(nil)] {
            #expect(turns.received(part, isForHere: Self.isForHere) == .hold)
        }
        var next = turns.next(isForHere: Self.isForHere)
        #expect(next == nil && turns.isHolding)
        turns.endedHere()
        let action: RequestTurnsStateMachine.Action = second == "/here" ? .take : .pass
        for part in [Self.head(second), .end(nil)] {
            next = turns.next(isForHere: Self.isForHere)
            #expect(next?.part == part && next?.action == action)
        }
        next = turns.next(isForHere: Self.isForHere)
        #expect(next == nil && !turns.isHolding)
    }

    @Test func oneForHereWaitsForAllAnswersFromBehind() {
        var turns = RequestTurnsStateMachine()
        for _ in 0..<2 { _ = turns.received(Self.head("/there"), isForHere: Self.isForHere) }
        _ = turns.received(.end(nil), isForHere: Self.isForHere)
        #expect(turns.received(Self.head("/here"), isForHere: Self.isForHere) == .hold)
        turns.endedBehind()
        var next = turns.next(isForHere: Self.isForHere)
        #expect(next == nil)
        turns.endedBehind()
        next = turns.next(isForHere: Self.isForHere)
        #expect(next?.action == .take)
    }
}
