import Foundation
import JSONSpans
import TestSupport
import Testing

struct JSONDocumentTests {
    private func problem(_ bytes: [UInt8]) -> JSONError.Reason? {
        bytes.withUnsafeBytes { bytes in
            do throws(JSONError) {
                try JSONDocument.validate(bytes)
                return nil
            } catch {
                return error.reason
            }
        }
    }

    private func problem(_ text: String) -> JSONError.Reason? { self.problem(Array(text.utf8)) }

    @Test(
        "A5-03 an error tells people what is wrong and where",
        arguments: [
            ("{\"a\" 1}", "a syntax error at byte 5"),
            (String(repeating: "[", count: 600), "too deep a nesting at byte 512"),
        ]
    )
    func errorsAreForPeople(_ text: String, _ words: String) {
        let bytes = Array(text.utf8)
        let error = #expect(throws: JSONError.self) { try bytes.withUnsafeBytes { _ = try JSONDocument.validate($0) } }
        #expect(error.map { "\($0)" } == words)
    }

    @Test(arguments: [
        "{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "1e400", "9007199254740993", "-1.5E+10", "\"\"",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":[]}", "[[],{},[[]]]", #""\ud800""#, #""\u00e9\n\/\"""#, "\"é🚀\"",
        "\t[1 , 2]\r\n",
    ])
    func validTextIsAccepted(_ text: String) {
        #expect(self.problem(text) == nil)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "]", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "1e",
        "--1", "tru", "nul", "NaN", "'a'", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u123\"", "\"a\nb\"", "\"\u{0}\"", "1 2",
        "[1 2]", "{\"a\":1 \"b\":2}", "[}", "{]", "[1}", "\u{FEFF}{}", "{\"a\":1}}", "[,1]", "{,}",
    ])
    func brokenGrammarIsRefused(_ text: String) {
        #expect(self.problem(text) == .syntax || text.hasPrefix("\u{FEFF}") && self.problem(text) != nil)
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xF0, 0x9F, 0x9A], [0x80],
        ] as [[UInt8]]
    )
    func stringsThatAreNotUTF8AreRefused(_ bytes: [UInt8]) {
        #expect(self.problem([0x22] + bytes + [0x22]) == .invalidUTF8)
    }

    @Test("T-13 nesting is bounded and costs no stack")
    func nestingIsBounded() {
        let fits = [UInt8](repeating: 0x5B, count: 512) + [UInt8](repeating: 0x5D, count: 512)
        #expect(self.problem(fits) == nil)
        #expect(self.problem([UInt8](repeating: 0x5B, count: 513)) == .tooDeep)
        #expect(self.problem([UInt8](repeating: 0x5B, count: 100_000)) == .tooDeep)
    }

    @Test func membersAreVisitedWithTheirBytes() throws {
        let text = Array(#" {"a":1.50,"b\u0062":{"x":[]},"c":"q\"r"} "#.utf8)
        var found: [String] = []
        try text.withUnsafeBytes { bytes in
            try JSONDocument.members(of: bytes, in: 0..<bytes.count) { key, value in
                found.append(
                    String(decoding: bytes[key], as: UTF8.self) + "="
                        + String(decoding: bytes[value.range], as: UTF8.self)
                )
            }
        }
        #expect(found == ["a=1.50", "b\\u0062={\"x\":[]}", "c=\"q\\\"r\""])
    }

    @Test func anotherKindOfValueIsTheWrongKind() {
        for text in ["[1]", "\"x\"", "null", "5"] {
            let bytes = Array(text.utf8)
            #expect(throws: JSONError(.wrongKind, at: text.utf8.count)) {
                try bytes.withUnsafeBytes { try JSONDocument.members(of: $0, in: 0..<$0.count) { _, _ in } }
            }
        }
    }

    @Test func agreesWithFoundationOnMutatedDocuments() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let original = Array(#"{"k":[1,-2.5e3,"té\n\u00e9",true,null,{"z":{}}],"m":"x"}"#.utf8)
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                if Bool.random(using: &random) {
                    bytes[at] = UInt8.random(in: 0x20...0x7E, using: &random)
                } else {
                    bytes.remove(at: at)
                }
            }
            let data = Data(bytes)
            // Foundation takes lone surrogates for an error and JSON does not; such documents say nothing here.
            guard !String(decoding: bytes, as: UTF8.self).lowercased().contains("\\ud") else { continue }
            let reference = (try? JSONSerialization.jsonObject(with: data, options: [.fragmentsAllowed])) != nil
            #expect(
                (self.problem(bytes) == nil) == reference,
                "seed \(seed): \(String(decoding: bytes, as: UTF8.self))"
            )
        }
    }
}

struct JSONStringTests {
    private func decode(_ text: String) -> [UInt8] { Array(text.utf8).withUnsafeBytes(JSONString.decode) }

    @Test func escapesAreDecoded() {
        #expect(self.decode(#"a\n\u00e9\ud83d\ude80\/"#) == Array("a\né🚀/".utf8))
    }

    @Test func differentLoneSurrogatesStayDifferent() {
        #expect(self.decode(#"\ud800"#) != self.decode(#"\ud801"#))
        #expect(self.decode(#"\ud800x"#) == self.decode(#"\uD800x"#))
    }

    @Test func namesAreComparedHoweverTheyAreEscaped() {
        for raw in ["custom_id", #"custom\u005fid"#] {
            #expect(Array(raw.utf8).withUnsafeBytes { JSONString.equals($0, "custom_id") })
        }
        #expect(!Array("custom_i".utf8).withUnsafeBytes { JSONString.equals($0, "custom_id") })
    }

    @Test func encodedTextDecodesToTheSame() throws {
        for text in ["", "plain", "q\"b\\s/\u{1}\n\r\t", "é🚀\u{7F}"] {
            var bytes: [UInt8] = []
            JSONString.appendEncoded(text, to: &bytes)
            let object = try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            #expect(object as? String == text)
        }
    }
}
