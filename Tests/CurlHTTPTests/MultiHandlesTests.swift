import Testing

@testable import CurlHTTP

/// Which multi handle a connection goes to. libcurl is real, and is not asked to do anything yet.
struct MultiHandlesTests {
    private let loop = CurlLoop(CurlClient.Configuration())

    private func withRoom() throws -> MultiHandle {
        try #require(self.loop.multis.withRoom { MultiHandle($0, loop: self.loop) })
    }

    private func connect() throws -> CurlLink {
        let link = try #require(CurlLink(to: "http://engine", within: 1_000, loop: self.loop))
        #expect(try link.connect(in: self.withRoom()))
        return link
    }

    @Test func connectionsFillTheFirst() throws {
        var links: [CurlLink] = []
        for _ in 0..<2 * MultiHandle.maximumLinks { links.append(try self.connect()) }
        #expect(self.loop.multis.all.map { $0?.links } == [64, 64])
        #expect(try self.withRoom().number == 2, "both are full")
        links.remove(at: 0).close()
        #expect(try self.withRoom().number == 0)
        for link in links { link.close() }
        #expect(self.loop.multis.all.map { $0?.links } == [0, 0, 0])
    }

    @Test func thoseWithoutConnectionsForLongAreDroppedAndTheirNumbersUsedAgain() throws {
        let link = try self.connect()
        self.loop.now += 60_001
        self.loop.multis.dropIdle(at: self.loop.now)
        #expect(self.loop.multis[0] != nil, "it has a connection")
        link.close()
        self.loop.multis.dropIdle(at: self.loop.now + 60_000)
        #expect(self.loop.multis[0] != nil, "its connection was closed a while ago")
        self.loop.multis.dropIdle(at: self.loop.now + 60_001)
        #expect(self.loop.multis[0] == nil)
        #expect(try self.withRoom().number == 0)
    }

    @Test func thereIsAlwaysAnEarliestTime() throws {
        #expect(self.loop.multis.timer == nil)
        let first = try self.withRoom()
        var links: [CurlLink] = []
        while try self.withRoom() === first { links.append(try self.connect()) }
        let second = try self.withRoom()
        #expect(second !== first)
        (first.timer, second.timer) = (7, 5)
        #expect(self.loop.multis.timer == 5)
        second.timer = nil
        #expect(self.loop.multis.timer == 7)
        for link in links { link.close() }
    }
}
