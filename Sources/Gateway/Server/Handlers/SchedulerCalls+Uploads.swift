import GatewayAPI
import ProtoMessages
import ProtoRPC

extension SchedulerCalls {
    /// Longest time for composing parts: that of the stock SDKs. It goes on after it, and who asks again joins it.
    private static let completionTimeout = Duration.seconds(600)
    /// Parts asked for at a time.
    private static let pageParts: UInt32 = 1_000
    /// Most parts shown: as many as an upload may have.
    private static let maximumParts = 10_000

    func createUpload(_ request: CreateUploadRequest) async throws(APIError) -> JSON {
        try Self.json(try await self.call(UploadsService.createUpload, request).upload)
    }

    /// The upload and the parts that have come, so that an interrupted client can go on.
    func getUpload(_ id: String) async throws(APIError) -> JSON {
        let reply = try await self.call(UploadsService.getUpload, GetUploadRequest(uploadID: id))
        guard let upload = reply.upload else { throw .internalError }
        var parts: [UploadPart] = []
        while upload.status == .pending, parts.count < Self.maximumParts {
            let request = ListPartsRequest(uploadID: id, limit: Self.pageParts, after: parts.last?.id ?? "")
            let page = try await self.call(UploadsService.listParts, request)
            parts += page.parts
            guard page.hasMore, !page.parts.isEmpty else { break }
        }
        return try JSON(upload, parts: parts)
    }

    func completeUpload(_ request: ComposeUploadRequest) async throws(APIError) -> JSON {
        let reply: RPCReply<ComposeUploadResponse>
        do throws(RPCError) {
            reply = try await self.reply(UploadsService.composeUpload, request, timeout: Self.completionTimeout)
        } catch {
            throw APIError(error)
        }
        return try Self.json(reply.message.upload)
    }

    func cancelUpload(_ id: String) async throws(APIError) -> JSON {
        try Self.json(try await self.call(UploadsService.cancelUpload, CancelUploadRequest(uploadID: id)).upload)
    }

    private static func json(_ upload: MultipartUpload?) throws(APIError) -> JSON {
        guard let upload else { throw .internalError }
        return try JSON(upload)
    }
}
