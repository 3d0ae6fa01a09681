import Testing

@testable import CurlHTTP

/// Which connections are kept. They are anything here.
@Suite struct IdleConnectionsTests {
    private final class Connection {}

    private let one = Origin<Connection>("http://one")
    private let two = Origin<Connection>("http://two")

    @Test func theOneUsedLastIsUsedFirstAndOnlyForItsOrigin() {
        var idle = IdleConnections<Connection>(maximum: 10)
        let (first, second, other) = (Connection(), Connection(), Connection())
        let areKept = [(first, self.one), (second, self.one), (other, self.two)].map {
            idle.put($0, of: $1, at: 0)
        }
        #expect(areKept == [true, true, true])
        #expect(idle.count == 3)
        let taken = [idle.take(self.one), idle.take(self.one), idle.take(self.one), idle.take(self.two)]
        #expect(
            taken.map { $0.map(ObjectIdentifier.init) }
                == [second, first, nil, other].map { $0.map(ObjectIdentifier.init) }
        )
        #expect(idle.count == 0)
    }

    @Test func noMoreAreKeptThanThereMayBe() {
        var idle = IdleConnections<Connection>(maximum: 1)
        let (first, second) = (Connection(), Connection())
        let areKept = [idle.put(first, of: self.one, at: 0), idle.put(second, of: self.two, at: 0)]
        #expect(areKept == [true, false])
        idle.remove(second, of: self.two)
        #expect(idle.count == 1, "it was not kept")
        idle.remove(first, of: self.one)
        #expect(idle.count == 0)
        let isKept = idle.put(second, of: self.two, at: 0)
        #expect(isKept)
    }

    @Test func theOldAreGivenUp() {
        var idle = IdleConnections<Connection>(maximum: 10)
        let (old, young, other) = (Connection(), Connection(), Connection())
        let areKept = [(old, self.one, 0), (young, self.one, 1), (other, self.two, 0)].map {
            idle.put($0, of: $1, at: Int64($2))
        }
        #expect(areKept == [true, true, true])
        let none = idle.removeOld(at: 60_000)
        #expect(none.isEmpty)
        let given = idle.removeOld(at: 60_001)
        #expect(given.map(ObjectIdentifier.init) == [old, other].map(ObjectIdentifier.init))
        #expect(idle.count == 1)
        let rest = idle.removeOld(at: 60_002)
        #expect(rest.map(ObjectIdentifier.init) == [young].map(ObjectIdentifier.init))
        let (isKept, later) = (idle.put(old, of: self.one, at: 70_000), idle.removeOld(at: 130_001))
        #expect(isKept && later.count == 1, "an origin that had none for a while is looked at again")
    }
}
