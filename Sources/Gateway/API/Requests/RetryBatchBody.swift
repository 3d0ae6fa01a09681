public import NIOCore
public import ProtoMessages

/// Body of `POST /v1/batches/{id}/retry`: empty, or an object of what is to be other than in the first batch.
public enum RetryBatchBody {
    private static let keys = ["completion_window", "metadata"]

    /// Reads and checks a body.
    ///
    /// - Throws: 400 with `param` naming the key at fault.
    public static func parse(_ body: ByteBuffer, batchID: String) throws(APIError) -> RetryBatchRequest {
        var request = RetryBatchRequest(batchID: batchID)
        guard body.readableBytes > 0 else { return request }
        let json = try JSON(parsing: body)
        guard case .object(let members) = json else {
            throw .invalidRequest("The request body must be a JSON object, not \(json.kind).", code: "invalid_json")
        }
        for (name, _) in members where !Self.keys.contains(name) {
            throw Suggestion.unknown("parameter", name, among: Self.keys)
        }
        if let window = json["completion_window"], window != .null {
            request.completionWindow = try CreateBatchBody.requiredText(json, "completion_window")
        }
        request.metadata = try BatchMetadata.parse(json["metadata"] ?? .null)
        return request
    }
}
