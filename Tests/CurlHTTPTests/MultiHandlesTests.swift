import Testing

@testable import CurlHTTP

/// Which multi handle a transfer goes to. libcurl is real, and is not asked to do anything yet.
struct MultiHandlesTests {
    private let loop = CurlLoop(CurlClient.Configuration())

    private func withRoom(for url: String) throws -> MultiHandle {
        try #require(self.loop.multis.withRoom(for: url) { MultiHandle($0, loop: self.loop) })
    }

    private func begin(at url: String) throws -> EasyHandle {
        let handle = try #require(EasyHandle(loop: self.loop))
        #expect(try self.withRoom(for: url).add(handle))
        return handle
    }

    @Test func transfersFillTheFirstOfTheirServer() throws {
        var handles: [EasyHandle] = []
        for _ in 0..<2 * MultiHandle.maximumTransfers { handles.append(try self.begin(at: "http://one/v1/models")) }
        #expect(self.loop.multis.all.map { $0?.transfers } == [64, 64])
        #expect(try self.withRoom(for: "http://one/").number == 2, "both are full")
        let ended = handles.remove(at: 0)
        ended.multi?.remove(ended)
        #expect(try self.withRoom(for: "http://one/other").number == 0)
        for handle in handles { handle.multi?.remove(handle) }
    }

    @Test func serversHaveTheirOwn() throws {
        #expect(try self.withRoom(for: "http://one/v1").number == 0)
        #expect(try self.withRoom(for: "http://two/v1").number == 1)
        #expect(try self.withRoom(for: "http://two:80/v1").number == 2)
        #expect(try self.withRoom(for: "https://one/v1").number == 3)
        #expect(try self.withRoom(for: "http://one?query").number == 0)
    }

    @Test func thoseThatAreIdleForLongAreDroppedAndTheirNumbersUsedAgain() throws {
        let handle = try self.begin(at: "http://busy/")
        _ = try self.withRoom(for: "http://idle/")
        self.loop.now += 60_000
        self.loop.multis.dropIdle(at: self.loop.now)
        #expect(self.loop.multis[1] != nil)
        self.loop.now += 1
        self.loop.multis.dropIdle(at: self.loop.now)
        #expect(self.loop.multis[0] != nil, "it has a transfer")
        #expect(self.loop.multis[1] == nil)
        #expect(try self.withRoom(for: "http://new/").number == 1)
        #expect(try self.withRoom(for: "http://idle/").number == 2)

        handle.multi?.remove(handle)
        self.loop.multis.dropIdle(at: self.loop.now + 60_000)
        #expect(self.loop.multis[0] != nil, "its transfer has just ended")
    }

    @Test(arguments: [
        ("http://engine:8000/v1/chat", "http://engine:8000"), ("https://[::1]:1/", "https://[::1]:1"),
        ("http://engine", "http://engine"), ("http://engine#x", "http://engine"), ("engine/v1", "engine/v1"), ("", ""),
    ])
    func aServerIsSchemeAndAuthority(_ url: String, _ server: String) {
        #expect(MultiHandles.server(of: url) == server)
    }

    @Test func thereIsAlwaysAnEarliestTime() throws {
        #expect(self.loop.multis.timer == nil)
        let times: [Int64?] = [nil, 7, 5, nil]
        for (index, time) in times.enumerated() { try self.withRoom(for: "http://\(index)/").timer = time }
        #expect(self.loop.multis.timer == 5)
    }
}
