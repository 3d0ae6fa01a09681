import GatewayAPI
import Testing

/// Names of requests (A9-06).
@Suite
struct RequestIDsTests {
    @Test("A9-06 a plain name of the client's is kept, and any other gets a new one")
    func choice() {
        var names = RequestIDs()
        #expect(names.choose("mine-1_2.3:4") == "mine-1_2.3:4")
        for proposed in [nil, "", "a b", "a\r\nb", "ü", String(repeating: "a", count: 129)] as [String?] {
            let name = names.choose(proposed)
            #expect(name != proposed && name.hasPrefix("req_") && name.utf8.count == 36)
            #expect(name.dropFirst(4).allSatisfy { $0.isHexDigit && !$0.isUppercase })
        }
    }

    @Test("A9-06 no two requests have one name, on one connection or several")
    func unique() {
        var seen: Set<String> = []
        for _ in 0..<20 {
            var names = RequestIDs()
            for _ in 0..<500 { seen.insert(names.choose(nil)) }
        }
        #expect(seen.count == 10_000)
    }
}
