import FoundationEssentials
import GatewayAPI
import ProtoMessages
import ProtoRPC

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

    /// Reads results at the scheduler that has them: while the batch runs the others refuse, and the client asks the next.
    ///
    /// - Parameter endpoint: the scheduler that had them a moment ago and is asked first; nil: not known.
    func readResults(
        _ request: ReadResultsRequest,
        at endpoint: RPCClient.Endpoint?
    ) async throws(APIError) -> RPCReply<ReadResultsResponse> {
        do throws(RPCError) {
            return try await self.reply(BatchesService.readResults, request, endpoint: endpoint)
        } catch {
            // It has stopped, and another one takes the batch up.
            guard endpoint != nil, error.code == .unavailable else { throw APIError(error) }
            return try await self.readResults(request, at: nil)
        }
    }

    private static func json(_ batch: Batch?) throws(APIError) -> JSON {
        guard let batch else { throw .internalError }
        return JSON(batch, now: Self.now)
    }

    /// Unix seconds.
    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }
}
