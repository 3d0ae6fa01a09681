import Logging
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// The service `backfill.v1.Batches`.
struct BatchesHandlers: Sendable {
    /// Most batches of one answer, so that it stays under 1 MiB: metadata and errors may take 10 KiB each.
    static let maximumPageBatches = 20
    let store: any MetadataStore
    let bytes: FileBytes
    let inputs: InputComposer
    let quotas: TenantQuotas
    let runner: JobRunner
    let platform: Platform
    let logger: Logger

    var records: BatchRecords { BatchRecords(store: self.store) }

    func register(in router: inout RPCRouter) {
        router.register(BatchesService.createBatch) { request, context in
            try await answering {
                CreateBatchResponse(
                    batch: Batch(self.noted("created", try await self.create(request, context), context))
                )
            }
        }
        router.register(BatchesService.getBatch) { request, context in
            try await answering {
                GetBatchResponse(batch: Batch(self.live(try await self.batch(request.batchID, context.tenant))))
            }
        }
        router.register(BatchesService.listBatches) { request, context in
            try await answering { try await self.list(request, context.tenant, context.project) }
        }
        router.register(BatchesService.cancelBatch) { request, context in
            try await answering {
                let batch = try await self.cancel(request.batchID, context.tenant)
                return CancelBatchResponse(batch: Batch(self.noted("cancelled", batch, context)))
            }
        }
        router.register(BatchesService.pauseBatch) { request, context in
            try await answering {
                PauseBatchResponse(batch: Batch(try await self.setPaused(true, request.batchID, context.tenant)))
            }
        }
        router.register(BatchesService.resumeBatch) { request, context in
            try await answering {
                ResumeBatchResponse(batch: Batch(try await self.setPaused(false, request.batchID, context.tenant)))
            }
        }
        router.register(BatchesService.retryBatch) { request, context in
            try await answering {
                RetryBatchResponse(batch: Batch(self.noted("created", try await self.retry(request, context), context)))
            }
        }
        router.register(BatchesService.deleteBatch) { request, context in
            try await answering { try await self.delete(request.batchID, context.tenant) }
        }
        router.register(BatchesService.readResults) { request, context in
            try await answering { try await self.readResults(request, context.tenant) }
        }
    }

    /// Logs which request did it, by which the gateway's lines and those about the batch, whose id is part of the request
    /// ids that engines see, are brought together.
    private func noted(_ what: String, _ batch: BatchRecord, _ context: RPCContext) -> BatchRecord {
        self.logger.info(
            "a batch was \(what)",
            metadata: [
                "batch": "\(batch.id)", "tenant": "\(batch.tenant)", "request_id": "\(context.requestID)",
            ]
        )
        return batch
    }

    func batch(_ id: String, _ tenant: String) async throws -> BatchRecord {
        guard ObjectID.isWellFormed(id, .batch), let batch = try await self.records.get(id), batch.tenant == tenant
        else {
            throw RPCErrors.noSuchBatch(id)
        }
        return batch
    }

    /// Says why a batch waits also when that cannot be stored, because the disk is full.
    func live(_ batch: BatchRecord) -> BatchRecord {
        var batch = batch
        if !batch.status.isTerminal, let trouble = self.runner.trouble(of: batch.id) { batch.waitingReason = trouble }
        return batch
    }

    private func list(
        _ request: ListBatchesRequest,
        _ tenant: String,
        _ project: String?
    ) async throws -> ListBatchesResponse {
        guard request.after.isEmpty || ObjectID.isWellFormed(request.after, .batch) else {
            throw RPCErrors.invalid("after", "'after' is the id of a batch.")
        }
        var wanted = min(max(Int(request.limit), 1), Self.maximumPageBatches)
        var batches: [BatchRecord] = []
        var after = request.after.isEmpty ? nil : request.after
        var hasMore = true
        // Other projects' batches are not shown, so a page may take several reads.
        while wanted > 0, hasMore {
            let page = try await self.store.list(
                RecordQuery(
                    kind: .batch,
                    tenant: tenant,
                    after: after,
                    limit: wanted + 1
                )
            )
            hasMore = page.count > wanted
            let shown = page.prefix(wanted)
            after = shown.last?.key.id
            let found = shown.compactMap(self.readable).filter { $0.project == project ?? $0.project }
            batches += found
            wanted -= found.count
        }
        return ListBatchesResponse(batches: batches.map(Batch.init), hasMore: hasMore)
    }

    /// One damaged record must not take the list with it; asked for by its id it is an error.
    private func readable(_ stored: StoredRecord) -> BatchRecord? {
        do {
            return try stored.decoded(BatchRecord.self).object
        } catch {
            self.logger.error("a batch cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
