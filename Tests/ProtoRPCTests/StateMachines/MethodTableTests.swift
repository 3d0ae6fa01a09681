import Testing

@testable import ProtoRPC

/// Methods by the bytes of their names.
@Suite struct MethodTableTests {
    @Test("each of many methods is found by its names and by nothing else")
    func many() {
        var table = MethodTable<Int>()
        // More than there are buckets, and the same names of methods in two services.
        for number in 0..<200 {
            table.add(number, service: "s\(number % 2)", method: "m\(number / 2)")
        }
        for number in 0..<200 {
            #expect(table["s\(number % 2)", "m\(number / 2)"] == number)
        }
        for (service, method) in [("s2", "m1"), ("s0", "m100"), ("s0", ""), ("", "m1"), ("s0m", "1"), ("S0", "m1")] {
            #expect(table[service, method] == nil)
        }
        #expect(table.has(service: "s1"))
        #expect(!table.has(service: "s"))
    }
}
