import GatewayAPI
import NIOCore
import ProtoMessages
import Testing

/// Routes and bodies of uploads in parts (A8).
struct UploadRequestTests {
    @Test(
        "A8 routes of uploads",
        arguments: [
            ("POST", "/v1/uploads", Route.createUpload), ("GET", "/v1/uploads/upload_1", .getUpload(id: "upload_1")),
            ("POST", "/v1/uploads/upload_1/parts", .addUploadPart(id: "upload_1")),
            ("POST", "/v1/uploads/upload_1/complete", .completeUpload(id: "upload_1")),
            ("POST", "/v1/uploads/upload_1/cancel", .cancelUpload(id: "upload_1")),
        ]
    )
    func routes(method: String, path: String, route: Route) throws {
        #expect(try Route(method: method, path: path) == route)
    }

    @Test(
        "A9-04 paths and methods that uploads do not have",
        arguments: [
            ("GET", "/v1/uploads", 405), ("DELETE", "/v1/uploads/upload_1", 405),
            ("GET", "/v1/uploads/upload_1/parts", 405), ("POST", "/v1/uploads/upload_1/part", 404),
            ("POST", "/v1/uploads/upload_1/parts/part_1", 404), ("POST", "/v1/uploads/..%2f/parts", 404),
            ("POST", "/v1/uploads//parts", 404),
        ]
    )
    func noRoutes(method: String, path: String, status: Int) {
        let error = #expect(throws: APIError.self) { _ = try Route(method: method, path: path) }
        #expect(error?.status == status)
    }

    @Test("A8-02 a part that is too large, or no form, is refused by its head")
    func heads() {
        let head = { (length: UInt64, type: String) in
            RequestHead(
                method: "POST",
                target: "/v1/uploads/upload_1/parts",
                contentLength: length,
                contentType: type
            )
        }
        let form = "multipart/form-data; boundary=b"
        #expect(throws: Never.self) { _ = try head(PartFormStateMachine.maximumPartBytes + 300, form).admit() }
        let tooLarge = #expect(throws: APIError.self) {
            _ = try head(PartFormStateMachine.maximumPartBytes + (1 << 17), form).admit()
        }
        #expect(tooLarge?.status == 413 && tooLarge?.param == "data" && tooLarge?.code == "part_too_large")
        let noForm = #expect(throws: APIError.self) { _ = try head(3, "application/json").admit() }
        #expect(noForm?.status == 415)
    }

    @Test("A8-01 a body that is right")
    func create() throws {
        let body = """
            {"filename": "a", "purpose": "batch", "bytes": 209715200, "mime_type": "m", \
            "expires_after": {"anchor": "created_at", "seconds": 3600}}
            """
        #expect(
            try CreateUploadBody.parse(ByteBuffer(string: body))
                == CreateUploadRequest(
                    filename: "a",
                    purpose: "batch",
                    bytes: 200 << 20,
                    mimeType: "m",
                    expiresAfterSeconds: 3_600
                )
        )
    }

    @Test(
        "A8-03 a completion that is wrong is named",
        arguments: [
            (#"{"part_ids": ["part_1"], "md5": "0123456789abcdef0123456789abcdeg"}"#, "md5"),
            (#"{"part_ids": ["part_1"], "md5": ""}"#, "md5"), (#"{"part_ids": []}"#, "part_ids"),
            (#"{"part_ids": "part_1"}"#, "part_ids"), (#"{"md5": null}"#, "part_ids"),
            (#"{"part_ids": ["part_1", 2]}"#, "part_ids[1]"), (#"{"part_ids": ["../x"]}"#, "part_ids[0]"),
            (#"{"part_ids": ["part_1"], "md": "x"}"#, "md"), ("[]", nil),
        ] as [(String, String?)]
    )
    func complete(body: String, param: String?) {
        let error = #expect(throws: APIError.self) {
            _ = try CompleteUploadBody.parse(ByteBuffer(string: body), uploadID: "upload_1")
        }
        #expect(error?.status == 400 && error?.param == param)
    }

    @Test("A8-03 10,000 parts are as many as an upload may have")
    func partIDs() throws {
        let body = { (count: Int) in
            ByteBuffer(string: #"{"part_ids": ["# + (0..<count).map { "\"part_\($0)\"" }.joined(separator: ",") + "]}")
        }
        #expect(try CompleteUploadBody.parse(body(10_000), uploadID: "u").partIds.last == "part_9999")
        #expect(throws: APIError.self) { _ = try CompleteUploadBody.parse(body(10_001), uploadID: "u") }
    }
}

/// The form of a part (A8-02, T-35).
struct PartFormTests {
    static let head = "--b\r\nContent-Disposition: form-data; name=\"data\"; filename=\"p\"\r\n\r\n"
    private static let content = "x\r\n--\r\n--c\r\n"

    private func read(_ form: String, piece: Int) throws(APIError) -> (content: String, bytes: UInt64, files: Int) {
        var machine = try PartFormStateMachine(contentType: "multipart/form-data; boundary=b")
        var (content, files) = ("", 0)
        let bytes = Array(form.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            machine.append(ByteBuffer(bytes: bytes[start..<min(start + piece, bytes.count)]))
            while let action = try machine.next() {
                switch action {
                case .beginFile: files += 1
                case .fileContent(let bytes): content += String(buffer: bytes)
                case .endFile: files += 10
                }
            }
        }
        return (content, try machine.finish(), files)
    }

    @Test("A8-02 T-35 a part comes whole at every split")
    func splits() throws {
        let form = Self.head + Self.content + "\r\n--b--\r\n"
        for piece in 1...form.utf8.count {
            let part = try self.read(form, piece: piece)
            #expect(part.content == Self.content && part.bytes == UInt64(Self.content.utf8.count) && part.files == 11)
        }
    }

    @Test(
        "A8-02 T-35 a form without exactly one part is refused",
        arguments: [
            ("--b--\r\n", "data"), (head + "\r\n--b--\r\n", "data"),
            (head + "x\r\n" + head + "y\r\n--b--\r\n", "data"),
            ("--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nx\r\n--b--\r\n", "purpose"),
            (head + "x", nil),
        ] as [(String, String?)]
    )
    func refusals(form: String, param: String?) {
        let error = #expect(throws: APIError.self) { _ = try self.read(form, piece: 7) }
        #expect(error?.status == 400 && error?.param == param)
    }
}
