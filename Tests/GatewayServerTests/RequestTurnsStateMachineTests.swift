import NIOCore
import NIOHTTP1
import Testing

@testable import GatewayServer

/// Who answers the requests of a connection, in their order.
struct RequestTurnsStateMachineTests {
    private static let here = "/v1/chat/completions"
    private static let there = "/v1/files"

    private static func head(_ uri: String) -> RequestPart {
        .head(IncomingRequest(HTTPRequestHead(version: .http1_1, method: .POST, uri: uri)))
    }

    @Test func eachRequestIsTakenOrPassedWithItsBody() {
        var turns = RequestTurnsStateMachine()
        #expect(turns.received(Self.head(Self.here)) == .take)
        #expect(turns.received(.body(.init(string: "x"))) == .take)
        #expect(turns.received(.end(nil)) == .take)
        #expect(turns.isBusy && !turns.isHolding)
        turns.endedHere()
        #expect(!turns.isBusy)
        // Those behind queue by themselves.
        for _ in 0..<2 {
            #expect(turns.received(Self.head(Self.there)) == .pass)
            #expect(turns.received(.end(nil)) == .pass)
        }
        #expect(!turns.isBusy)
    }

    @Test(arguments: [Self.here, Self.there])
    func whatComesWhileOneIsAnsweredHereWaitsForIt(_ second: String) {
        var turns = RequestTurnsStateMachine()
        _ = turns.received(Self.head(Self.here))
        _ = turns.received(.end(nil))
        for part in [Self.head(second), .end(nil)] {
            #expect(turns.received(part) == .hold)
        }
        var next = turns.next()
        #expect(next == nil && turns.isHolding)
        turns.endedHere()
        let action: RequestTurnsStateMachine.Action = second == Self.here ? .take : .pass
        for part in [Self.head(second), .end(nil)] {
            next = turns.next()
            #expect(next?.part.http == part.http && next?.action == action)
        }
        next = turns.next()
        #expect(next == nil && !turns.isHolding)
    }

    @Test func oneForHereWaitsForAllAnswersFromBehind() {
        var turns = RequestTurnsStateMachine()
        for _ in 0..<2 { _ = turns.received(Self.head(Self.there)) }
        _ = turns.received(.end(nil))
        #expect(turns.received(Self.head(Self.here)) == .hold)
        turns.endedBehind()
        var next = turns.next()
        #expect(next == nil)
        turns.endedBehind()
        next = turns.next()
        #expect(next?.action == .take)
    }
}
