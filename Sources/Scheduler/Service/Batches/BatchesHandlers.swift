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
    /// Longest idempotency key, in bytes.
    static let maximumKeyBytes = 255

    let store: any MetadataStore
    let runner: JobRunner
    let platform: Platform
    let logger: Logger

    private var records: BatchRecords { BatchRecords(store: self.store) }

    func register(in router: inout RPCRouter) {
        router.register(BatchesService.createBatch) { request, context in
            try await answering {
                CreateBatchResponse(batch: Batch(try await self.create(request, context)))
            }
        }
        router.register(BatchesService.getBatch) { request, context in
            try await answering {
                GetBatchResponse(batch: Batch(self.live(try await self.batch(request.batchID, context.tenant))))
            }
        }
        router.register(BatchesService.listBatches) { request, context in
            try await answering { try await self.list(request, context.tenant) }
        }
        router.register(BatchesService.cancelBatch) { request, context in
            try await answering {
                CancelBatchResponse(batch: Batch(try await self.cancel(request.batchID, context.tenant)))
            }
        }
    }

    private func batch(_ id: String, _ tenant: String) async throws -> BatchRecord {
        guard ObjectID.isWellFormed(id, .batch), let batch = try await self.records.get(id), batch.tenant == tenant
        else {
            throw RPCErrors.noSuchBatch(id)
        }
        return batch
    }

    /// Says why a batch waits also when that cannot be stored, because the disk is full.
    private func live(_ batch: BatchRecord) -> BatchRecord {
        var batch = batch
        if !batch.status.isTerminal, let trouble = self.runner.trouble(of: batch.id) { batch.waitingReason = trouble }
        return batch
    }

    private func list(_ request: ListBatchesRequest, _ tenant: String) async throws -> ListBatchesResponse {
        guard request.after.isEmpty || ObjectID.isWellFormed(request.after, .batch) else {
            throw RPCErrors.invalid("after", "'after' is the id of a batch.")
        }
        let limit = min(max(Int(request.limit), 1), Self.maximumPageBatches)
        let page = try await self.store.list(
            RecordQuery(
                kind: .batch,
                tenant: tenant,
                after: request.after.isEmpty ? nil : request.after,
                limit: limit + 1
            )
        )
        let batches = page.prefix(limit).compactMap { stored -> Batch? in
            do {
                return Batch(try stored.decoded(BatchRecord.self).object)
            } catch {
                // One damaged record must not take the list with it; asked for by its id it is an error.
                self.logger.error("a batch cannot be read", metadata: ["error": "\(error)"])
                return nil
            }
        }
        return ListBatchesResponse(batches: batches, hasMore: page.count > limit)
    }

    private func cancel(_ id: String, _ tenant: String) async throws -> BatchRecord {
        _ = try await self.batch(id, tenant)
        let change = try await self.records.apply(to: id) { $0.cancelRequested(at: self.platform.time.unixSeconds) }
        switch change.outcome {
        case .changed, .unchanged:
            self.runner.cancelWasRequested(id)
            return change.record
        case .refused:
            throw RPCErrors.make(
                .failedPrecondition,
                "Cannot cancel a batch with status '\(change.record.status.rawValue)'.",
                reason: "batch_not_cancellable"
            )
        }
    }
}

// MARK: - Create

extension BatchesHandlers {
    private func create(_ request: CreateBatchRequest, _ context: RPCContext) async throws -> BatchRecord {
        let tenant = context.tenant
        let remembered = try self.idempotency(request, context)
        if let remembered, let earlier = try await self.earlierAnswer(remembered, tenant) { return earlier }
        let wanted: BatchRequest
        do throws(InvalidBatchRequest) {
            wanted = try BatchRequest(
                endpoint: request.endpoint,
                completionWindow: request.completionWindow,
                metadata: request.metadata,
                outputLifetimeSeconds: request.outputExpiresAfterSeconds.map { Int64(clamping: $0) }
            )
        } catch {
            throw RPCErrors.invalid(error.param, error.message)
        }
        let input = try await self.input(request.inputFileID, tenant)
        let now = self.platform.time.unixSeconds
        let batch = BatchRecord(
            id: self.platform.makeID(.batch),
            tenant: tenant,
            endpoint: wanted.endpoint,
            inputFileID: input.id,
            findings: input.input,
            completionWindow: wanted.window,
            outputFileID: self.platform.makeID(.file),
            errorFileID: self.platform.makeID(.file),
            createdAt: now,
            metadata: request.metadata,
            outputLifetimeSeconds: request.outputExpiresAfterSeconds.map { Int64(clamping: $0) }
        )
        let answer = remembered.map { key in
            RememberedAnswer(
                scope: key.scope,
                key: key.key,
                requestHash: key.hash,
                answer: batch.id,
                createdAt: now
            )
        }
        do throws(StoreError) {
            // The file may be deleted meanwhile, and its bytes swept: only a batch that came first keeps them.
            let changes: [RecordChange] = [.require(RecordKey(.file, input.id)), .insert(try StoredRecord(batch))]
            try await self.store.apply(changes, remembering: answer)
        } catch {
            guard error == .conflict else { throw error }
            if let remembered, let earlier = try await self.earlierAnswer(remembered, tenant) { return earlier }
            throw RPCErrors.noSuchFile(input.id, param: "input_file_id")
        }
        self.runner.somethingIsNew()
        return batch
    }

    private func input(_ id: String, _ tenant: String) async throws -> FileRecord {
        guard ObjectID.isWellFormed(id, .file),
            let file = try await self.store.get(FileRecord.self, id)?.object,
            file.tenant == tenant, !file.isExpired(at: self.platform.time.unixSeconds)
        else { throw RPCErrors.noSuchFile(id, param: "input_file_id") }
        guard file.purpose == .batch else {
            throw RPCErrors.invalid(
                "input_file_id",
                "The file's purpose is '\(file.purpose.rawValue)'; upload it with the purpose 'batch'."
            )
        }
        return file
    }

    /// The call's idempotency key; the hash tells another request under the same key.
    private func idempotency(
        _ request: CreateBatchRequest,
        _ context: RPCContext
    ) throws -> (scope: String, key: String, hash: [UInt8])? {
        guard let key = context.metadata["idempotency-key"] else { return nil }
        guard !key.isEmpty, key.utf8.count <= Self.maximumKeyBytes else {
            throw RPCErrors.invalid("Idempotency-Key", "The key has 1 to \(Self.maximumKeyBytes) bytes.")
        }
        let bytes = try request.serialized()
        return ("\(context.tenant)/CreateBatch", key, SHA256.hash(bytes.readableBytesView))
    }

    private func earlierAnswer(
        _ wanted: (scope: String, key: String, hash: [UInt8]),
        _ tenant: String
    ) async throws -> BatchRecord? {
        let found = try await self.store.rememberedAnswer(
            scope: wanted.scope,
            key: wanted.key,
            notBefore: self.platform.time.unixSeconds - RememberedAnswer.lifetimeSeconds
        )
        guard let found else { return nil }
        guard found.requestHash == wanted.hash else {
            throw RPCErrors.make(
                .alreadyExists,
                "This Idempotency-Key was used for another request: use a new one.",
                reason: "idempotency_key_reused"
            )
        }
        return try await self.batch(found.answer, tenant)
    }
}
