import Testing

@testable import CurlHTTP

/// The sockets by reference, since expectations cannot change a value.
private final class Sockets {
    private var sockets = WatchedSocketsStateMachine()

    func opened(_ descriptor: Int32) { self.sockets.opened(descriptor) }
    func closed(_ descriptor: Int32) { self.sockets.closed(descriptor) }
    func wants(_ events: WatchedSocketsStateMachine.Events, _ descriptor: Int32) -> WatchedSocketsStateMachine.Action {
        self.sockets.wants(events, of: descriptor, for: .connection(0))
    }
    func happened(_ descriptor: Int32) -> WatchedSocketsStateMachine.Action { self.sockets.happened(on: descriptor) }
}

struct WatchedSocketsTests {
    @Test func aConnectionStaysWatchedBetweenItsRequests() {
        let sockets = Sockets()
        sockets.opened(7)
        #expect(sockets.wants(.write, 7) == .add(.write))
        #expect(sockets.wants(.read, 7) == .modify(.read))
        #expect(sockets.happened(7) == .none)
        #expect(sockets.wants([], 7) == .none, "its request has ended")
        #expect(sockets.wants(.read, 7) == .none, "the next one")
        #expect(sockets.wants([.read, .write], 7) == .modify([.read, .write]))
    }

    @Test func whatNobodyWaitsForEndsTheWatching() {
        let sockets = Sockets()
        sockets.opened(7)
        #expect(sockets.wants(.read, 7) == .add(.read))
        #expect(sockets.wants([], 7) == .none)
        #expect(sockets.happened(7) == .remove)
        #expect(sockets.happened(7) == .none, "told in the same turn")
        #expect(sockets.wants(.read, 7) == .add(.read))
    }

    @Test func aDescriptorThatIsUsedAgainIsWatchedAnew() {
        let sockets = Sockets()
        sockets.opened(7)
        #expect(sockets.wants(.read, 7) == .add(.read))
        #expect(sockets.wants([], 7) == .none)
        sockets.closed(7)
        #expect(sockets.wants(.read, 7) == .add(.read), "no connection's")
        #expect(sockets.wants([], 7) == .remove)
        sockets.opened(7)
        #expect(sockets.wants(.read, 7) == .add(.read))
        sockets.opened(7)
        #expect(sockets.wants(.read, 7) == .add(.read), "its end was not told")
    }

    @Test func whatIsNoConnectionIsWatchedOnlyWhileItIsWaitedFor() {
        let sockets = Sockets()
        #expect(sockets.wants(.read, 9) == .add(.read))
        #expect(sockets.wants([], 9) == .remove)
        #expect(sockets.wants([], 9) == .none)
        #expect(sockets.wants(.read, 9) == .add(.read))
    }

    @Test func whatHappensIsForWhoWaitedLast() {
        var sockets = WatchedSocketsStateMachine()
        sockets.opened(7)
        _ = sockets.wants(.read, of: 7, for: .multi(3))
        _ = sockets.wants(.write, of: 9, for: .multi(4))
        #expect(sockets.owner(of: 7) == .multi(3))
        #expect(sockets.owner(of: 9) == .multi(4))
        _ = sockets.wants([], of: 9, for: .multi(4))
        _ = sockets.wants(.read, of: 9, for: .connection(5))
        #expect(sockets.owner(of: 9) == .connection(5))
        #expect(sockets.owner(of: 10) == nil)
        #expect(sockets.owner(of: -1) == nil)
    }

    @Test func descriptorsAreNeverNegative() {
        let sockets = Sockets()
        sockets.opened(-1)
        #expect(sockets.wants(.read, -1) == .none)
        #expect(sockets.happened(-1) == .none)
    }
}
