import GatewayAPI
import Testing

/// Paths and methods (A9-04).
struct RouteTests {
    @Test(
        "A6-06 an id that no object can have is the same 404 as one that none has",
        arguments: [("/v1/files/a.b", "File", "id"), ("/v1/batches/a.b/cancel", "Batch", "batch_id")]
    )
    func impossibleIDs(_ path: String, _ kind: String, _ param: String) {
        let method = path.hasSuffix("cancel") ? "POST" : "GET"
        let error = #expect(throws: APIError.self) { try Route(method: method, path: path) }
        #expect(error?.status == 404 && error?.param == param)
        #expect(error?.message == "No such \(kind) object: a.b" && error?.code == "\(kind.lowercased())_not_found")
    }

    @Test("a base URL without /v1 is told of", arguments: ["/", "/v1", "/models", "//v1/models", "/chat/completions"])
    func missingVersion(_ path: String) {
        let error = #expect(throws: APIError.self) { try Route(method: "GET", path: path) }
        #expect(error?.status == 404 && error?.code == "unknown_url")
        #expect(error?.message.hasSuffix("The API's paths begin with /v1/: look at the base URL.") == true)
    }

    @Test("a path that is wrong behind /v1 is no matter of the base URL", arguments: ["/v1/model", "/v1/models/"])
    func unknownPath(_ path: String) {
        let error = #expect(throws: APIError.self) { try Route(method: "GET", path: path) }
        #expect(error?.message == "Unknown request URL: GET \(path)." && error?.code == "unknown_url")
    }
}
