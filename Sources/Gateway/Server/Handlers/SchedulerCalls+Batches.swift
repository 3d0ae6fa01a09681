import GatewayAPI
import ProtoMessages

extension SchedulerCalls {
    func createBatch(_ request: CreateBatchRequest, idempotencyKey: String?) async throws(APIError) -> JSON {
        let reply = try await self.call(BatchesService.createBatch, request, idempotencyKey: idempotencyKey)
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
            var objects: [JSON] = []
            for batch in reply.batches { objects.append(try JSON(batch)) }
            try list.append(objects, lastID: reply.batches.last?.id, hasMore: reply.hasMore)
        }
        return list.page
    }

    private static func json(_ batch: Batch?) throws(APIError) -> JSON {
        guard let batch else { throw .internalError }
        return try JSON(batch)
    }
}
