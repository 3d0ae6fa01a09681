import SchedulerCore
import TestSupport
import Testing

/// The file cases of T-34.
struct InputFileIndexerTests {
    static let url = "/v1/chat/completions"

    static func line(_ id: String, model: String = "m", url: String = url, more: String = "") -> String {
        #"{"custom_id":"\#(id)","method":"POST","url":"\#(url)","body":{"model":"\#(model)"\#(more)}}"#
    }

    /// Indexes a file in chunks of a size, confirming suspicions from the file itself.
    private func index(
        _ file: [UInt8],
        chunk: Int = 1 << 20,
        limits: InputFileIndexer.Limits = .init()
    ) -> (findings: InputFileFindings, plan: [UInt8]) {
        var indexer = InputFileIndexer(limits: limits)
        var plan: [UInt8] = []
        var ids: [UInt8] = []
        func take() {
            plan += indexer.takePlanBytes()
            ids += indexer.takeIDBytes()
        }
        func line(_ request: Int) -> [UInt8] {
            let start = PlanHeader.encodedBytes + request * PlanEntry.encodedBytes
            let entry = plan[start..<(start + PlanEntry.encodedBytes)].withUnsafeBytes { try? PlanEntry($0) }
            guard let entry else { return [] }
            return Array(file[Int(entry.offset)..<(Int(entry.offset) + Int(entry.length))])
        }
        for start in stride(from: 0, to: file.count, by: max(chunk, 1)) {
            file[start..<min(start + chunk, file.count)].withUnsafeBytes { indexer.consume($0) }
            take()
        }
        indexer.finish()
        take()
        var table = CustomIDTable(bytes: ids.count)
        ids.withUnsafeBytes { table.append($0) }
        indexer.check(table)
        while let suspect = indexer.nextSuspect() {
            line(suspect.earlier).withUnsafeBytes { earlier in
                line(suspect.later).withUnsafeBytes {
                    indexer.resolve(suspect, earlierLine: earlier, laterLine: $0)
                }
            }
        }
        return (indexer.findings, plan)
    }

    private func problems(_ text: String) -> [String] { self.problems(Array(text.utf8)) }

    private func problems(_ file: [UInt8]) -> [String] {
        self.index(file).findings.problems.map { "\($0.code)@\($0.line ?? 0)" }
    }

    @Test("T-34 a file without requests", arguments: ["", "\n", "\n  \n\t\r\n", "\u{FEFF}"])
    func emptyFiles(_ text: String) {
        #expect(self.problems(text) == ["empty_file@0"])
    }

    @Test("A3-06 blank lines, CRLF, a byte order mark and a missing last newline are fine")
    func lineEnds() throws {
        let text = "\u{FEFF}" + Self.line("a") + "\r\n\n  \n" + Self.line("b") + "\n\r\n" + Self.line("c")
        let (findings, plan) = self.index(Array(text.utf8))
        #expect(findings.problems == [])
        #expect(findings.lines == 3)
        let bytes = Array(text.utf8)
        for (number, id) in ["a", "b", "c"].enumerated() {
            let start = PlanHeader.encodedBytes + number * PlanEntry.encodedBytes
            let entry = try plan[start..<(start + PlanEntry.encodedBytes)].withUnsafeBytes { try PlanEntry($0) }
            let line = bytes[Int(entry.offset)..<Int(entry.offset) + Int(entry.length)]
            #expect(String(decoding: line, as: UTF8.self) == Self.line(id))
        }
    }

    @Test("A3-02 each kind of bad line has its code and number")
    func badLines() {
        let lines = [
            Self.line("ok"), "not json", "[1]", "\"x\"", "null", "{}", #"{"custom_id":""}"#, #"{"custom_id":5}"#,
            Self.line("get").replacing("POST", with: "GET"),
            #"{"custom_id":"s","method":"POST","url":"u","body":"text"}"#,
            #"{"custom_id":"n","method":"POST","url":"u","body":{}}"#,
            #"{"custom_id":"e","method":"POST","url":"u","body":{"model":""}}"#,
            Self.line("stream", more: #","stream":true"#), Self.line("d", more: #","model":"twice""#),
            Self.line(String(repeating: "x", count: 513)), Self.line("nul\u{0}"),
        ]
        #expect(
            self.problems(lines.joined(separator: "\n")) == [
                "invalid_json_line@2", "not_an_object@3", "not_an_object@4", "not_an_object@5",
                "missing_required_parameter@6", "invalid_custom_id@7", "invalid_type@8", "invalid_method@9",
                "invalid_type@10", "missing_required_parameter@11", "missing_required_parameter@12",
                "stream_not_supported@13", "duplicate_key@14", "invalid_custom_id@15", "invalid_json_line@16",
            ]
        )
    }

    @Test("T-34 invalid UTF-8, UTF-16 and a lone CR")
    func encodings() {
        var bytes = Array(Self.line("a").utf8)
        bytes[15] = 0xFF
        #expect(self.problems(bytes) == ["invalid_utf8@1"])
        let utf16: [UInt8] = Self.line("a").utf16.flatMap { unit -> [UInt8] in [UInt8(truncatingIfNeeded: unit), 0] }
        #expect(self.problems([0xFF, 0xFE] + utf16) == ["invalid_json_line@1"])
        #expect(self.problems(Self.line("a") + "\r" + Self.line("b")) == ["invalid_json_line@1"])
    }

    @Test("T-34 numbers, emoji and large integers are kept as they are")
    func unusualValues() {
        #expect(self.problems(Self.line("🚀é", more: #","n":1e999,"big":9007199254740993,"s":"\ud800""#)) == [])
    }

    @Test("A3-03 equal ids are found however they are escaped, far apart")
    func duplicateIDs() {
        var text = Self.line("first-é") + "\n"
        for number in 0..<1_000 { text += Self.line("id-\(number)") + "\n" }
        text += Self.line(#"first-\u00e9"#) + "\n" + Self.line("id-7")
        #expect(self.problems(text) == ["duplicate_custom_id@1002", "duplicate_custom_id@1003"])
    }

    @Test("A3-07 a hundred problems are kept and the rest counted")
    func problemsAreBounded() {
        let same = self.index(Array(String(repeating: Self.line("same") + "\n", count: 500).utf8)).findings
        #expect(same.problems.count == 100)
        #expect(same.problemsOmitted == 399)
        let broken = self.index(Array(String(repeating: "x\n", count: 250).utf8)).findings
        #expect(broken.problems.count == 100)
        #expect(broken.problemsOmitted == 150)
    }

    @Test("A3-07 the first hundred problems are shown whatever their kind", arguments: [0, 50, 99, 100, 101, 150])
    func firstProblemsAreShown(_ brokenLines: Int) {
        // A line twice, then broken ones, then that line again and again.
        var text = Self.line("same") + "\n" + Self.line("same") + "\n" + String(repeating: "x\n", count: brokenLines)
        text += String(repeating: Self.line("same") + "\n", count: 80)
        let findings = self.index(Array(text.utf8)).findings
        let expected =
            ["duplicate_custom_id@2"] + (0..<brokenLines).map { "invalid_json_line@\($0 + 3)" }
            + (0..<80).map { "duplicate_custom_id@\(brokenLines + 3 + $0)" }
        #expect(findings.problems.map { "\($0.code)@\($0.line ?? 0)" } == Array(expected.prefix(100)))
        #expect(findings.problemsOmitted == max(0, expected.count - 100))
    }

    @Test("A2-08 limits on lines, line length, models and embeddings")
    func limits() {
        var limits = InputFileIndexer.Limits()
        limits.lines = 2
        limits.lineBytes = 200
        limits.models = 1
        limits.embeddingInputs = 3
        let text = Self.line("a") + "\n" + Self.line("b", model: "other") + "\n" + Self.line("c")
        #expect(
            self.index(Array(text.utf8), limits: limits).findings.problems.map(\.code) == [
                "too_many_models", "too_many_tasks",
            ]
        )
        let long = Self.line("a") + "\n" + Self.line("b", more: #","p":"\#(String(repeating: "x", count: 200))""#)
        for chunk in [7, 1 << 20] {
            let findings = self.index(Array(long.utf8), chunk: chunk, limits: limits).findings
            #expect(findings.problems.map { "\($0.code)@\($0.line ?? 0)" } == ["line_too_long@2"])
        }
        let embeddings = Self.line("e", url: "/v1/embeddings", more: #","input":["a","b","c","d"]"#)
        #expect(
            self.index(Array(embeddings.utf8), limits: limits).findings.problems.map(\.code) == [
                "too_many_embedding_inputs"
            ]
        )
    }

    @Test("T-34 every split point gives the same plan and findings")
    func splitPoints() {
        let text = "\u{FEFF}" + Self.line("é-1") + "\r\n\nbroken\n" + Self.line("é-1") + "\n" + Self.line("z")
        let file = Array(text.utf8)
        let whole = self.index(file)
        for chunk in 1..<file.count {
            let parts = self.index(file, chunk: chunk)
            #expect(parts.findings == whole.findings, "chunks of \(chunk)")
            #expect(parts.plan == whole.plan, "chunks of \(chunk)")
        }
        #expect(whole.findings.problems.map(\.code) == ["invalid_json_line", "duplicate_custom_id"])
    }

    @Test func anyBytesGiveFindings() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let original = Array((Self.line("a") + "\n" + Self.line("b") + "\n").utf8)
        for _ in 0..<5_000 {
            var file = original
            for _ in 0..<4 {
                file[Int.random(in: 0..<file.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            let findings = self.index(file, chunk: Int.random(in: 1...64, using: &random)).findings
            #expect(findings.lines + findings.problems.count > 0, "seed \(seed)")
        }
    }
}
