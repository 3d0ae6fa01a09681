import GatewayAPI
import NIOCore
import TestSupport
import Testing

/// The form of an upload (A7-01, A7-02, T-35).
struct FileFormTests {
    static let purpose = "--b7\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
    static let file =
        "--b7\r\ncontent-disposition: form-data; name=file; filename=\"a\\\"é.jsonl\"\r\n"
        + "content-type: application/jsonl\r\n\r\n{\"--b7\": 1}\r\n--b\r\n\r\n -b7x\r\n"
    static let content = "{\"--b7\": 1}\r\n--b\r\n\r\n -b7x"
    static let end = "--b7--\r\n"

    struct Outcome: Equatable {
        var upload: FileUpload?
        var content = ""
        var purposeAtStart: String?
        var status: Int?
        var param: String?
    }

    /// Reads a form that comes in pieces of one size.
    private func read(_ form: [UInt8], piece: Int = .max, type: String = "multipart/form-data; boundary=b7") -> Outcome
    {
        var outcome = Outcome()
        do throws(APIError) {
            var machine = try FileFormStateMachine(contentType: type)
            var start = 0
            while start < form.count {
                let count = min(piece, form.count - start)
                machine.append(ByteBuffer(bytes: form[start..<(start + count)]))
                start += count
                while let action = try machine.next() {
                    switch action {
                    case .beginFile(let purpose): outcome.purposeAtStart = purpose
                    case .fileContent(let bytes): outcome.content += String(buffer: bytes)
                    case .endFile: break
                    }
                }
            }
            outcome.upload = try machine.finish()
        } catch {
            outcome.status = error.status
            outcome.param = error.param
        }
        return outcome
    }

    private func read(_ form: String, piece: Int = .max) -> Outcome { self.read(Array(form.utf8), piece: piece) }

    @Test("A7-02 fields come in any order", arguments: [purpose + file, file + purpose])
    func anyOrder(_ parts: String) {
        let outcome = self.read("preamble\r\n" + parts + Self.end + "epilogue")
        #expect(outcome.upload?.filename == "a\"é.jsonl")
        #expect(outcome.upload?.purpose == "batch")
        #expect(outcome.upload?.bytes == UInt64(Self.content.utf8.count))
        #expect(outcome.content == Self.content)
        #expect(outcome.purposeAtStart == (parts.hasPrefix(Self.purpose) ? "batch" : nil))
    }

    @Test("T-35 every split point gives the same")
    func splitPoints() {
        let form = Array((Self.purpose + Self.file + Self.end).utf8)
        let whole = self.read(form)
        #expect(whole.status == nil)
        for piece in 1..<form.count {
            #expect(self.read(form, piece: piece) == whole, "pieces of \(piece)")
        }
    }

    @Test(
        "T-35 what is missing or given twice is named",
        arguments: [
            (file + end, "purpose"), (purpose + end, "file"), (purpose + file + file + end, "file"),
            (purpose + purpose + file + end, "purpose"),
        ]
    )
    func missingOrTwice(_ form: String, _ param: String) {
        let outcome = self.read(form)
        #expect(outcome.status == 400)
        #expect(outcome.param == param)
    }

    @Test(
        "T-35 broken forms are refused",
        arguments: [
            "", purpose, purpose + file, purpose + file + "--b7-", "--b7\r\n\r\nx\r\n" + purpose + file + end,
            "--b7\r\ncontent-disposition: form-data\r\n\r\nx\r\n" + end,
            "--b7\r\na: \(String(repeating: "x", count: 9_000))\r\n\r\n\r\n" + end,
            String(repeating: purpose, count: 101) + file + end,
        ]
    )
    func brokenForms(_ form: String) {
        #expect(self.read(form).status == 400)
    }

    @Test(
        "T-35 the content type must name a boundary",
        arguments: [
            ("multipart/form-data", 400), ("multipart/form-data; boundary=", 400), ("application/json", 415), ("", 415),
        ]
    )
    func contentTypes(_ type: String, _ status: Int) {
        #expect(self.read(Array(Self.end.utf8), type: type).status == status)
    }

    @Test func anyBytesGiveAnOutcome() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let original = Array((Self.purpose + Self.file + Self.end).utf8)
        for _ in 0..<20_000 {
            var form = original
            for _ in 0..<3 {
                form[Int.random(in: 0..<form.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            let outcome = self.read(form, piece: Int.random(in: 1...64, using: &random))
            #expect((outcome.upload == nil) == (outcome.status != nil), "seed \(seed)")
        }
    }
}

struct ParameterTests {
    private func param(_ body: () throws(APIError) -> Void) -> String? {
        do throws(APIError) {
            try body()
            return "accepted"
        } catch {
            return error.status == 400 ? error.param : "\(error.status)"
        }
    }

    @Test(
        "A2-01 A2-07 bodies of a create",
        arguments: [
            (#"{"input_file_id":"f","endpoint":"e","completion_window":"w"}"#, "accepted"),
            (#"{"endpoint":"e","completion_window":"w"}"#, "input_file_id"),
            (#"{"input_file_id":"f","completion_window":"w"}"#, "endpoint"),
            (#"{"input_file_id":"f","endpoint":"e"}"#, "completion_window"),
            (#"{"input_file_id":5,"endpoint":"e","completion_window":"w"}"#, "input_file_id"),
            (#"{"input_file_id":"f","endpoint":"e","completion_window":"w","metadata":{"a":1}}"#, "metadata.a"),
            (#"{"input_file_id":"f","endpoint":"e","completion_window":"w","metdata":{}}"#, "metdata"),
            (
                #"{"input_file_id":"f","endpoint":"e","completion_window":"w","output_expires_after":{"anchor":"created_at","seconds":3599}}"#,
                "output_expires_after.seconds"
            ),
        ]
    )
    func createBodies(_ body: String, _ expected: String) {
        let found = self.param { () throws(APIError) in _ = try CreateBatchBody.parse(ByteBuffer(string: body)) }
        #expect(found == expected)
    }

    @Test(
        "A6-05 A7-07 list parameters",
        arguments: [
            ("", "accepted"), ("limit=1", "accepted"), ("limit=100", "accepted"), ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=abc", "limit"), ("limit=", "limit"), ("limt=5", "limt"),
        ]
    )
    func batchLists(_ query: String, _ expected: String) {
        #expect(self.param { () throws(APIError) in _ = try ListBatchesParameters(query: query) } == expected)
    }

    @Test(
        "A7-07 file lists take an order and up to 10,000",
        arguments: [
            ("limit=10000&order=asc&purpose=batch", "accepted"), ("limit=10001", "limit"), ("order=up", "order"),
            ("purpose=", "purpose"), ("purpose=fun", "purpose"),
        ]
    )
    func fileLists(_ query: String, _ expected: String) {
        #expect(self.param { () throws(APIError) in _ = try ListFilesParameters(query: query) } == expected)
    }
}
