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
        let members = try JSONObjectBody(body, known: Self.keys)
        request.completionWindow = try members.text("completion_window") ?? ""
        request.metadata = try BatchMetadata.parse(members["metadata"])
        return request
    }
}
