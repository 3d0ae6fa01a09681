import GatewayAPI
import NIOCore
import ProtoMessages
import Testing

/// Bodies that make batches, and what is told of a batch beside OpenAI's contract.
struct CreateBatchBodyTests {
    private func parse(_ body: String) throws(APIError) -> CreateBatchRequest {
        try CreateBatchBody.parse(ByteBuffer(string: body))
    }

    private static func inline(_ requests: String, _ more: String = "") -> String {
        "{\"endpoint\":\"/v1/x\",\"completion_window\":\"24h\"\(more),\"requests\":\(requests)}"
    }

    @Test func inlineRequestsBecomeLinesAsTheyAreWritten() throws {
        let request = try self.parse(
            Self.inline(
                "[ {\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/x\",\n\"body\":{\"n\":9007199254740993,"
                    + "\"f\":1e400}} ,{\"body\":{}},{}]"
            )
        )
        let lines = String(buffer: request.inlineInput).split(separator: "\n")
        #expect(
            lines == [
                "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/x\", \"body\":{\"n\":9007199254740993,\"f\":1e400}}",
                "{\"custom_id\":\"request-2\",\"method\":\"POST\",\"url\":\"/v1/x\",\"body\":{}}",
                "{\"custom_id\":\"request-3\",\"method\":\"POST\",\"url\":\"/v1/x\"}",
            ]
        )
        #expect(request.inputFileID.isEmpty && request.endpoint == "/v1/x")
    }

    @Test func inlineRequestsMayBeNestedDeeply() throws {
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        let request = try self.parse(Self.inline("[{\"body\":{\"x\":\(deep)}}]"))
        #expect(String(buffer: request.inlineInput).contains(deep))
    }

    @Test(
        "requests that cannot be lines are refused",
        arguments: [
            ("[]", "requests"), ("{}", "requests"), ("null", "requests"), ("[1]", "requests[0]"),
            ("[{},\"x\"]", "requests[1]"), ("[{}],\"requests\":[{}]", "requests"),
            ("[{}],\"input_file_id\":\"file-1\"", "requests"),
        ]
    )
    func othersAreRefused(_ requests: String, _ param: String) {
        let error = #expect(throws: APIError.self) { try self.parse(Self.inline(requests)) }
        #expect(error?.status == 400 && error?.param == param)
    }

    @Test func tooManyInlineBytesAreRefused() {
        let one = "{\"body\":\"\(String(repeating: "x", count: 1_000))\"}"
        let error = #expect(throws: APIError.self) {
            try self.parse(Self.inline("[" + Array(repeating: one, count: 800).joined(separator: ",") + "]"))
        }
        #expect(error?.param == "requests" && error?.message.contains("768 KiB") == true)
    }

    @Test("what a retry may change is taken, and nothing else")
    func retryBodies() throws {
        let plain = try RetryBatchBody.parse(ByteBuffer(), batchID: "b")
        #expect(plain == RetryBatchRequest(batchID: "b"))
        let body = ByteBuffer(string: "{\"completion_window\":\"2h\",\"metadata\":{\"k\":\"v\"}}")
        let changed = try RetryBatchBody.parse(body, batchID: "b")
        #expect(changed == RetryBatchRequest(batchID: "b", completionWindow: "2h", metadata: ["k": "v"]))
        let error = #expect(throws: APIError.self) {
            try RetryBatchBody.parse(ByteBuffer(string: "{\"completion_windo\":\"2h\"}"), batchID: "b")
        }
        #expect(error?.message.contains("completion_window") == true)
    }
}

struct BatchObjectTests {
    private func extras(_ batch: Batch, now: Int64) throws -> JSON {
        try #require(JSON(batch, now: now)["backfill"])
    }

    private func running(_ done: UInt64, of total: UInt64) -> Batch {
        var batch = Batch(status: .inProgress, createdAt: 900, expiresAt: 2_000, inProgressAt: 1_000)
        batch.requestCounts = RequestCounts(total: total, completed: done)
        return batch
    }

    @Test(
        "progress and the time of the end follow from the counts",
        arguments: [
            (0, 4, 0.0, nil), (1, 4, 25.0, 1_400), (1, 3, 33.3, 1_300), (1, 1_000, 0.1, 2_000), (4, 4, 100.0, nil),
            (9, 4, 100.0, nil), (0, 0, 0.0, nil),
        ] as [(UInt64, UInt64, Double, Int64?)]
    )
    func progress(_ done: UInt64, _ total: UInt64, _ percent: Double, _ end: Int64?) throws {
        let extras = try self.extras(self.running(done, of: total), now: 1_100)
        #expect(extras["progress_percent"] == .number(percent))
        #expect(extras["estimated_completion_at"] == (end.map { .integer($0) } ?? .null))
    }

    @Test func aPausedBatchHasNoTimeOfItsEnd() throws {
        var batch = self.running(1, of: 4)
        batch.pausedAt = 1_050
        let extras = try self.extras(batch, now: 1_100)
        #expect(extras["estimated_completion_at"] == .null && extras["paused_at"] == .integer(1_050))
    }

    @Test("A1-04 a status that the API does not have is told by the batch's times")
    func unknownStatus() {
        var batch = Batch(status: BatchStatus(rawValue: 99))
        #expect(JSON(batch, now: 0)["status"] == .string("validating"))
        batch.inProgressAt = 1
        #expect(JSON(batch, now: 0)["status"] == .string("in_progress"))
        batch.cancellingAt = 2
        #expect(JSON(batch, now: 0)["status"] == .string("cancelling"))
        batch.cancelledAt = 3
        #expect(JSON(batch, now: 0)["status"] == .string("cancelled"))
    }
}
