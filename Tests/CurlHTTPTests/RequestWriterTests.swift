import Testing

@testable import CurlHTTP

struct RequestWriterTests {
    private static let limits = TransferLimits(
        connect: .seconds(1),
        firstByte: .seconds(1),
        betweenBytes: .seconds(1),
        total: nil
    )

    /// What goes out for a request.
    private func written(
        _ method: HTTPRequest.Method,
        _ url: String,
        headers: [HTTPHeader] = [],
        body: HTTPRequestBody = .none
    ) throws -> String {
        let request = HTTPRequest(
            method: method,
            url: url,
            headers: headers,
            body: body,
            limits: Self.limits,
            maximumResponseBytes: 0
        )
        var bytes = OutgoingBytes()
        try RequestWriter.write(request, to: RequestTarget(parsing: url), into: &bytes)
        return String(decoding: bytes.unsent, as: UTF8.self)
    }

    @Test func aRequestHasItsFieldsAndItsBody() throws {
        let fields = [
            HTTPHeader(name: "content-type", value: "application/json"), HTTPHeader(name: "x-name", value: "Zoë"),
        ]
        let expected =
            "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: engine:8000\r\ncontent-type: application/json\r\n"
            + "x-name: Zoë\r\nAccept: */*\r\nContent-Length: 2\r\n\r\n{}"
        let url = "http://engine:8000/v1/chat/completions?a=b#part"
        #expect(try self.written(.post, url, headers: fields, body: .bytes(Array("{}".utf8))) == expected)
        let body = HTTPRequestBody.copied(length: 2) { buffer in
            buffer.copyBytes(from: "{}".utf8)
            return 2
        }
        #expect(try self.written(.post, url, headers: fields, body: body) == expected)
        let streamed = HTTPRequestBody.stream(length: 2) { _ in nil }
        #expect(try self.written(.post, url, headers: fields, body: streamed) == String(expected.dropLast(2)))
    }

    @Test(
        "a request without a body says so where one is expected",
        arguments: [
            (HTTPRequest.Method.get, ""), (.head, ""), (.delete, ""), (.post, "Content-Length: 0\r\n"),
            (.put, "Content-Length: 0\r\n"),
        ]
    )
    func requestsWithoutABody(_ method: HTTPRequest.Method, _ length: String) throws {
        let expected = "\(method.rawValue) / HTTP/1.1\r\nHost: engine\r\nAccept: */*\r\n\(length)\r\n"
        #expect(try self.written(method, "http://engine") == expected)
    }

    @Test func theCallersAuthorizationGoesBeforeThatOfTheURL() throws {
        let url = "http://user:secret@engine/"
        #expect(try self.written(.get, url).contains("\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n"))
        let own = try self.written(.get, url, headers: [HTTPHeader(name: "authorization", value: "Bearer key")])
        #expect(own.contains("\r\nauthorization: Bearer key\r\n") && !own.contains("Basic"))
    }

    @Test func aBodyThatCannotBeFilledInIsAnError() {
        let body = HTTPRequestBody.copied(length: 3) { _ in 2 }
        let error = #expect(throws: HTTPTransferError.self) { try self.written(.post, "http://engine", body: body) }
        #expect(error?.code == .callback)
        #expect(error?.mayHaveBeenSent == false)
    }

    @Test(
        "what would end a line is no header field",
        arguments: [
            HTTPHeader(name: "a", value: "b\r\nc: d"), HTTPHeader(name: "a", value: "b\0"),
            HTTPHeader(name: "a", value: "b\u{7F}"), HTTPHeader(name: "a\u{7F}", value: "b"),
            HTTPHeader(name: "", value: "b"), HTTPHeader(name: "a b", value: "c"), HTTPHeader(name: "a:", value: "c"),
        ]
    )
    func unsafeFields(_ header: HTTPHeader) {
        #expect(!header.isSafe)
    }
}
