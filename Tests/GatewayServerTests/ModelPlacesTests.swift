import ProtoRPC
import Testing

@testable import GatewayServer

/// To which scheduler a request for a model goes.
struct ModelPlacesTests {
    private static let schedulers = (1...3).map { RPCClient.Endpoint(host: "s", port: $0) }

    /// The first has `a` and `all`, the second `b` and `all`, the third `b`, `c` and `all`.
    private let places = {
        var places = ModelPlaces()
        places.said(["a", "all"], by: Self.schedulers[0])
        places.said(["b", "all"], by: Self.schedulers[1])
        places.said(["b", "c", "all"], by: Self.schedulers[2])
        return places
    }()

    @Test func aModelGoesWhereItIs() {
        let (first, third) = (Self.schedulers[0], Self.schedulers[2])
        #expect(self.places.schedulers(for: "a", connected: Self.schedulers) == [first])
        #expect(self.places.schedulers(for: "c", connected: Self.schedulers) == [third])
    }

    @Test func oneThatAllHaveOrNoneIsKnownToHaveGoesWhereverTheClientLikes() {
        #expect(self.places.schedulers(for: "all", connected: Self.schedulers).isEmpty)
        #expect(self.places.schedulers(for: "unknown", connected: Self.schedulers).isEmpty)
        #expect(self.places.schedulers(for: "b", connected: Array(Self.schedulers[1...])).isEmpty)
        #expect(self.places.has("all") && !self.places.has("unknown"))
    }

    @Test func whereSomeHaveItTheChoiceIsAmongThem() {
        #expect(self.places.schedulers(for: "b", connected: Self.schedulers) == Array(Self.schedulers[1...]))
    }

    @Test func oneThatRefusedComesLast() {
        let (second, third) = (Self.schedulers[1], Self.schedulers[2])
        #expect(self.places.schedulers(for: "b", connected: Self.schedulers, besides: [second]) == [third])
        #expect(self.places.schedulers(for: "c", connected: Self.schedulers, besides: [third]) == [third])
    }

    @Test("the models of a scheduler that has gone are not unknown: their requests wait for it or fail there")
    func schedulerIsGone() {
        #expect(self.places.schedulers(for: "a", connected: Array(Self.schedulers[1...])) == [Self.schedulers[0]])
        #expect(self.places.schedulers(for: "a", connected: []) == [Self.schedulers[0]])
    }

    @Test func whatASchedulerSaysLastCounts() {
        var places = self.places
        places.said(["b"], by: Self.schedulers[0])
        #expect(!places.has("a"))
        #expect(places.schedulers(for: "a", connected: Self.schedulers).isEmpty)
        #expect(places.schedulers(for: "b", connected: Self.schedulers).isEmpty)
    }
}
