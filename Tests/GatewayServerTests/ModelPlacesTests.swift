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
        #expect(self.places.scheduler(for: "a", connected: Self.schedulers) == first)
        #expect(self.places.scheduler(for: "c", connected: Self.schedulers) == third)
    }

    @Test func oneThatAllHaveOrNoneIsKnownToHaveGoesWhereverTheClientLikes() {
        #expect(self.places.scheduler(for: "all", connected: Self.schedulers) == nil)
        #expect(self.places.scheduler(for: "unknown", connected: Self.schedulers) == nil)
        #expect(self.places.scheduler(for: "b", connected: Array(Self.schedulers[1...])) == nil)
        #expect(self.places.has("all") && !self.places.has("unknown"))
    }

    @Test func amongSomeThatHaveItAllGetRequests() {
        let chosen = Set((0..<200).map { _ in self.places.scheduler(for: "b", connected: Self.schedulers) })
        #expect(chosen == Set(Self.schedulers[1...].map { $0 }))
    }

    @Test func oneThatRefusedComesLast() {
        let (second, third) = (Self.schedulers[1], Self.schedulers[2])
        for _ in 0..<50 {
            #expect(self.places.scheduler(for: "b", connected: Self.schedulers, besides: [second]) == third)
        }
        #expect(self.places.scheduler(for: "c", connected: Self.schedulers, besides: [third]) == third)
    }

    @Test("the models of a scheduler that has gone are not unknown: their requests wait for it or fail there")
    func schedulerIsGone() {
        #expect(self.places.scheduler(for: "a", connected: Array(Self.schedulers[1...])) == Self.schedulers[0])
        #expect(self.places.scheduler(for: "a", connected: []) == Self.schedulers[0])
    }

    @Test func whatASchedulerSaysLastCounts() {
        var places = self.places
        places.said(["b"], by: Self.schedulers[0])
        #expect(!places.has("a"))
        #expect(places.scheduler(for: "a", connected: Self.schedulers) == nil)
        #expect(places.scheduler(for: "b", connected: Self.schedulers) == nil)
    }
}
