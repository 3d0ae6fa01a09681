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
}
