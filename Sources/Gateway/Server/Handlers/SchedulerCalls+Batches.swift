import FoundationEssentials
import GatewayAPI
import ProtoMessages

extension SchedulerCalls {
    func createBatch(_ request: CreateBatchRequest, idempotencyKey: String?) async throws(APIError) -> JSON {
        let reply = try await self.call(BatchesService.createBatch, request, idempotencyKey: idempotencyKey)
        return try Self.json(reply.batch)
    }

    func retryBatch(_ request: RetryBatchRequest, idempotencyKey: String?) async throws(APIError) -> JSON {
        let reply = try await self.call(BatchesService.retryBatch, request, idempotencyKey: idempotencyKey)
        return try Self.json(reply.batch)
    }

    func getBatch(_ id: String) async throws(APIError) -> JSON {
        try Self.json(try await self.call(BatchesService.getBatch, GetBatchRequest(batchID: id)).batch)
    }

    func cancelBatch(_ id: String) async throws(APIError) -> JSON {
        try Self.json(try await self.call(BatchesService.cancelBatch, CancelBatchRequest(batchID: id)).batch)
    }

    func listBatches(_ parameters: ListBatchesParameters) async throws(APIError) -> JSON {
        var list = StitchedList(limit: parameters.limit, after: parameters.after)
        while list.wantsMore {
            let request = ListBatchesRequest(limit: UInt32(clamping: list.missing), after: list.after)
            let reply = try await self.call(BatchesService.listBatches, request)
            let objects = reply.batches.map { JSON($0, now: Self.now) }
            try list.append(objects, lastID: reply.batches.last?.id, hasMore: reply.hasMore)
        }
        return list.page
    }

    func pauseBatch(_ id: String) async throws(APIError) -> JSON {
        try Self.json(try await self.call(BatchesService.pauseBatch, PauseBatchRequest(batchID: id)).batch)
    }

    func resumeBatch(_ id: String) async throws(APIError) -> JSON {
        try Self.json(try await self.call(BatchesService.resumeBatch, ResumeBatchRequest(batchID: id)).batch)
    }

    func deleteBatch(_ id: String) async throws(APIError) -> JSON {
        _ = try await self.call(BatchesService.deleteBatch, DeleteBatchRequest(batchID: id))
        return .deletedBatch(id: id)
    }

    private static func json(_ batch: Batch?) throws(APIError) -> JSON {
        guard let batch else { throw .internalError }
        return JSON(batch, now: Self.now)
    }

    /// Unix seconds.
    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }
}
