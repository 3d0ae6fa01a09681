import SchedulerCore
import TestSupport
import Testing

struct ResultRecordTests {
    static let record = ResultRecord(
        line: 41,
        epoch: 3,
        attempts: 2,
        status: 200,
        outcome: .success,
        usage: TokenUsage(inputTokens: 1, cachedTokens: 2, outputTokens: 3, reasoningTokens: 4, totalTokens: 5),
        requestID: Array("req-1".utf8),
        body: Array(#"{"a":9007199254740993}"#.utf8)
    )

    private static let format = SegmentFormat(job: "batch_1", epoch: 3)

    private var encoded: [UInt8] {
        var bytes: [UInt8] = []
        Self.record.append(to: &bytes, Self.format)
        return bytes
    }

    @Test func aRecordIsReadBackInPlace() throws {
        let bytes = [1, 2, 3] + self.encoded
        #expect(self.encoded.count == Self.record.encodedBytes)
        try bytes.withUnsafeBytes { bytes in
            let view = try ResultRecordView(bytes, at: 3, Self.format)
            #expect(view.line == 41 && view.status == 200 && view.outcome == .success)
            #expect(view.usage == Self.record.usage)
            #expect(Array(bytes[view.requestID]) == Self.record.requestID)
            #expect(Array(bytes[view.body]) == Self.record.body)
            #expect(view.encodedBytes == self.encoded.count)
        }
    }

    @Test("T-03 a record cut at any byte is incomplete")
    func cutRecordsAreIncomplete() {
        for length in 0..<self.encoded.count {
            // The whole length is told as soon as it can be seen.
            let needed = length < 16 ? ResultRecord.headerBytes : self.encoded.count
            #expect(throws: ResultRecordView.Problem.incomplete(bytes: needed)) {
                try self.encoded[..<length].withUnsafeBytes { _ = try ResultRecordView($0, at: 0, Self.format) }
            }
        }
    }

    @Test("T-04 every flipped bit is noticed")
    func flippedBitsAreNoticed() {
        for bit in 0..<(self.encoded.count * 8) {
            var bytes = self.encoded
            bytes[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: ResultRecordView.Problem.self) {
                try bytes.withUnsafeBytes { _ = try ResultRecordView($0, at: 0, Self.format) }
            }
        }
    }

    @Test("T-10 a segment or plan of another version is refused by its number")
    func otherVersionsAreRefused() throws {
        let format = SegmentFormat(job: "batch_1", epoch: 7)
        var segment = format.header
        let read = try segment.withUnsafeBytes { try SegmentFormat.read($0, job: "batch_1", epoch: 7) }
        #expect(read.headerBytes == segment.count)
        #expect(throws: SegmentFormat.Problem.damaged) {
            try segment.withUnsafeBytes { _ = try SegmentFormat.read($0, job: "batch_2", epoch: 7) }
        }
        segment[4] = 9
        #expect(throws: SegmentFormat.Problem.damaged) {
            try segment.withUnsafeBytes { _ = try SegmentFormat.read($0, job: "batch_1", epoch: 7) }
        }
        segment = format.header(version: 9)
        #expect(throws: SegmentFormat.Problem.unknownVersion(9)) {
            try segment.withUnsafeBytes { _ = try SegmentFormat.read($0, job: "batch_1", epoch: 7) }
        }
        var plan = PlanHeader.encoded
        plan[4] = 2
        #expect(throws: PlanProblem.unknownVersion(2)) { try plan.withUnsafeBytes { try PlanHeader.check($0) } }
    }

    @Test("I-07 of several records of one line the first counts")
    func firstRecordCounts() {
        var progress = LineProgress(total: 65)
        let usage = TokenUsage(totalTokens: 2)
        let first = progress.record(line: 64, succeeded: true, usage: usage)
        let second = progress.record(line: 64, succeeded: false, usage: usage)
        let beyond = progress.record(line: 65, succeeded: true, usage: usage)
        #expect(first && !second && !beyond)
        #expect(progress.completed == 1 && progress.failed == 0 && progress.usage == usage)
        #expect(progress.isDone(64) && !progress.isDone(0) && !progress.isComplete)
    }

    @Test("the first open line is the first that has no record", arguments: [0, 1, 63, 64, 65, 128, 130])
    func firstOpenLine(total: Int) {
        for seed in 0..<40 as Range<UInt64> {
            var numbers = SeededGenerator(seed: seed)
            var progress = LineProgress(total: total)
            // From nothing done to nearly everything.
            for line in 0..<total where UInt64.random(in: 0..<40, using: &numbers) < seed {
                _ = progress.record(line: line, succeeded: true, usage: TokenUsage())
            }
            for line in -1...(total + 70) {
                let expected = (max(line, 0)..<max(total, line, 0)).first { !progress.isDone($0) && $0 < total }
                #expect(progress.firstOpenLine(from: line) == expected ?? total, "seed \(seed), from \(line)")
            }
        }
    }
}

struct AnswerTests {
    @Test("A5-10 an answer keeps its bytes but for the line ends between tokens")
    func answersKeepTheirBytes() throws {
        let body = "{\r\n \"n\": 9007199254740993,\n\"f\":1e400,\"s\":\"\\ud800\\n\"}"
        let kept = try AnswerBody(Array(body.utf8)).bytes
        #expect(String(decoding: kept, as: UTF8.self) == "{ \"n\": 9007199254740993,\"f\":1e400,\"s\":\"\\ud800\\n\"}")
    }

    @Test("T-13 what is not JSON is refused", arguments: ["", "<html>", "{\"a\":", "{} {}"])
    func garbageIsRefused(_ body: String) {
        #expect(throws: AnswerBody.Problem.self) { _ = try AnswerBody(Array(body.utf8)) }
    }

    @Test(
        "A1-10 usage is read in both spellings",
        arguments: [
            #"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}"#,
            #"{"usage":{"input_tokens":3,"output_tokens":4,"input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":1}}}"#,
        ]
    )
    func usageIsRead(_ body: String) throws {
        let usage = try AnswerBody(Array(body.utf8)).usage
        #expect(
            usage
                == TokenUsage(inputTokens: 3, cachedTokens: 2, outputTokens: 4, reasoningTokens: 1, totalTokens: 7)
        )
    }

    @Test("nonsense counts say nothing", arguments: ["-1", "1.5", "1e9", "99999999999999999999", "\"3\"", "null"])
    func nonsenseCounts(_ number: String) throws {
        #expect(try AnswerBody(Array("{\"usage\":{\"prompt_tokens\":\(number)}}".utf8)).usage?.inputTokens == 0)
    }
}

struct ObjectIDTests {
    @Test("A6-02 ids sort by creation and nothing else passes as one")
    func idsSortByCreation() {
        let ids = (0..<100).map { ObjectID.make(.file, unixMilliseconds: 1_000 + Int64($0 / 10), random: UInt64($0)) }
        #expect(ids.map { $0.prefix(17) } == ids.map { $0.prefix(17) }.sorted())
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { ObjectID.isWellFormed($0, .file) && !ObjectID.isWellFormed($0, .batch) })
        for id in ["", "file-", "file-../../etc/passwd", "file-" + String(repeating: "G", count: 32), ids[0] + "0"] {
            #expect(!ObjectID.isWellFormed(id, .file))
        }
    }
}
