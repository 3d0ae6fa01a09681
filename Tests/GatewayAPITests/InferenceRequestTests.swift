import NIOCore
import Testing

@testable import GatewayAPI

/// What the gateway reads of an online request.
struct InferenceRequestTests {
    private func parse(_ text: String) throws(APIError) -> InferenceRequest {
        try InferenceRequest.parse(ByteBuffer(string: text))
    }

    private func refusal(_ text: String) -> APIError? {
        do throws(APIError) {
            _ = try self.parse(text)
            return nil
        } catch {
            return error
        }
    }

    @Test func anEmptyBodyIsCalledEmpty() {
        #expect(self.refusal("")?.message == "The request body is empty: it must be a JSON object.")
    }

    @Test("A10-06 A10-07 the model and the tier are found anywhere at the top, whatever else is there")
    func found() throws {
        let body =
            #" {"x":{"model":"no","service_tier":"flex"},"a":[1e400,"\ud800"],"model":"m\u0041\/x","stream":true} "#
        #expect(try self.parse(body) == InferenceRequest(model: "mA/x"))
        #expect(try self.parse(#"{"service_tier":"flex","model":"m"}"#) == InferenceRequest(model: "m", tier: .flex))
        #expect(try self.parse(#"{"\u006dodel":"m"}"#).model == "m")
        for other in [#""auto""#, #""priority""#, "null", "7", #"{"flex":1}"#] {
            #expect(try self.parse(#"{"service_tier":\#(other),"model":"m"}"#).tier == .default)
        }
    }

    @Test(
        "what is no request names the key at fault",
        arguments: [
            ("", nil, "invalid_json"), ("[]", nil, "invalid_json"), (#""x""#, nil, "invalid_json"),
            ("{}{}", nil, "invalid_json"), (#"{"model":"m""#, nil, "invalid_json"), ("null", nil, "invalid_json"),
            ("{}", "model", "missing_required_parameter"), (#"{"model":null}"#, "model", "missing_required_parameter"),
            (#"{"model":1}"#, "model", "invalid_type"), (#"{"model":["m"]}"#, "model", "invalid_type"),
            (#"{"model":""}"#, "model", "invalid_value"), (#"{"model":"a\u0000b"}"#, "model", "invalid_value"),
            (#"{"model":"a","model":"a"}"#, "model", "duplicate_key"),
            (#"{"model":"a","m\u006fdel":"b"}"#, "model", "duplicate_key"),
            (#"{"model":"a","service_tier":"flex","service_tier":"auto"}"#, "service_tier", "duplicate_key"),
        ] as [(String, String?, String)]
    )
    func refused(_ body: String, _ param: String?, _ code: String) {
        let error = self.refusal(body)
        #expect(error?.status == 400)
        #expect(error?.param == param)
        #expect(error?.code == code)
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: APIError.self) {
            try InferenceRequest.parse(ByteBuffer(bytes: Array("{\"a\":\"".utf8) + [0xFF]))
        }
    }

    @Test func aNameHasABound() throws {
        let longest = String(repeating: "m", count: InferenceRequest.maximumModelBytes)
        #expect(try self.parse(#"{"model":"\#(longest)"}"#).model == longest)
        #expect(self.refusal(#"{"model":"\#(longest)m"}"#)?.code == "invalid_value")
    }

    @Test("A9-04 the paths are routes for POST of JSON alone", arguments: InferencePath.allCases)
    func routes(_ path: InferencePath) throws {
        let json = "application/json; charset=utf-8"
        let head = RequestHead(method: "POST", target: path.rawValue, contentLength: 64 << 20, contentType: json)
        #expect(try head.admit() == .inference(path))
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
            let error = #expect(throws: APIError.self) { try Route(method: method, path: path.rawValue) }
            #expect(error?.status == 405 && error?.allow == ["POST"])
        }
        for type in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            let error = #expect(throws: APIError.self) {
                try RequestHead(method: "POST", target: path.rawValue, contentType: type).admit()
            }
            #expect(error?.status == 415)
        }
        let error = #expect(throws: APIError.self) {
            try RequestHead(method: "POST", target: path.rawValue, contentLength: 64 << 20 + 1, contentType: json)
                .admit()
        }
        #expect(error?.status == 413 && error?.code == "request_too_large")
    }

    @Test func whatAnEngineAnswersIsJudgedByItsStatusTypeAndBytes() {
        #expect([200, 204, 299, 400, 404, 599].allSatisfy { EngineError.isAnswer($0) })
        #expect(![0, 100, 199, 300, 302, 399, 600, 999].contains { EngineError.isAnswer($0) })
        #expect(
            ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"].allSatisfy {
                EngineError.saysJSON($0)
            }
        )
        #expect(!["", "text/html", "application/jsonl", "text/event-stream"].contains { EngineError.saysJSON($0) })
        #expect(
            EngineError.saysEvents("text/event-stream; charset=utf-8") && !EngineError.saysEvents("application/json")
        )
        #expect(EngineError.isReadable(ByteBuffer(string: #"{"error":{}}"#)))
        #expect(!EngineError.isReadable(ByteBuffer(string: "<html>")) && !EngineError.isReadable(ByteBuffer()))
        #expect(EngineError.unreadable(status: 500).status == 500 && EngineError.unreadable(status: 302).status == 502)
    }
}
