import GatewayAPI
import Testing

/// A7-08.
struct ByteRangeTests {
    @Test(
        "A7-08 a range is what RFC 9110 says",
        arguments: [
            ("bytes=0-0", .part(0..<1)), ("bytes=2-", .part(2..<10)), ("bytes=-3", .part(7..<10)),
            ("bytes=-99", .part(0..<10)), ("bytes=5-99", .part(5..<10)), ("Bytes=9-9", .part(9..<10)),
            ("bytes=10-", .unsatisfiable), ("bytes=-0", .unsatisfiable),
            ("bytes=99999999999999999999999-", .unsatisfiable),
            ("bytes=3-99999999999999999999999", .part(3..<10)), ("bytes=18446744073709551615-", .unsatisfiable),
            ("bytes=0-18446744073709551615", .part(0..<10)),
            // Not understood, or several: the whole file is the right answer.
            ("bytes=3-2", .whole), ("bytes=0-1,3-4", .whole), ("lines=0-1", .whole), ("bytes=-", .whole),
            ("bytes=a-b", .whole), ("bytes=", .whole), ("", .whole),
        ] as [(String, ByteRange)]
    )
    func ranges(_ text: String, _ expected: ByteRange) {
        #expect(ByteRange(range: text, ifRange: nil, entityTag: "\"t\"", bytes: 10) == expected)
    }

    @Test("A7-08 of an empty file there is no part", arguments: ["bytes=0-", "bytes=-1", "bytes=0-0"])
    func emptyFile(_ text: String) {
        #expect(ByteRange(range: text, ifRange: nil, entityTag: "\"t\"", bytes: 0) == .unsatisfiable)
    }

    @Test func aRangeOfAnotherVersionIsTheWholeFile() {
        let same = ByteRange(range: "bytes=1-1", ifRange: "\"t\"", entityTag: "\"t\"", bytes: 10)
        let other = ByteRange(range: "bytes=1-1", ifRange: "\"u\"", entityTag: "\"t\"", bytes: 10)
        #expect(same == .part(1..<2) && other == .whole)
    }

    @Test(
        "tags are compared as a list",
        arguments: [
            ("\"t\"", true), ("\"a\", W/\"t\" ", true), ("*", true), ("\"tt\"", false), ("t", false), ("", false),
        ]
    )
    func tags(_ header: String, _ matches: Bool) {
        #expect(EntityTag.matches(header, "\"t\"") == matches)
    }
}
