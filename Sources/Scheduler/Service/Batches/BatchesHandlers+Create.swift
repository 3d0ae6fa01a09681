import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

// MARK: - New batches

extension BatchesHandlers {
    /// Most bytes of an inline input, so that its message stays under 1 MiB.
    static let maximumInlineBytes = 768 << 10

    func create(_ request: CreateBatchRequest, _ context: RPCContext) async throws -> BatchRecord {
        let call = try IdempotentCall(request, of: "CreateBatch", context)
        if let earlier = try await self.earlierBatch(call, context.tenant) { return earlier }
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
        var draft = BatchDraft(
            tenant: context.tenant,
            request: wanted,
            metadata: request.metadata,
            outputLifetimeSeconds: request.outputExpiresAfterSeconds.map { Int64(clamping: $0) }
        )
        draft.project = context.project
        draft.aibrix = try AIBrixExtension.taken(from: request.aibrix)
        guard request.inlineInput.readableBytes == 0 else {
            return try await self.createInline(request, draft, call)
        }
        let input = try await self.input(request.inputFileID, context.tenant)
        return try await self.create(draft, call, input)
    }

    /// Makes a batch of a file that is there.
    private func create(_ draft: BatchDraft, _ call: IdempotentCall?, _ input: FileRecord) async throws -> BatchRecord {
        let batch = self.record(draft, input)
        do throws(StoreError) {
            // The file may be deleted meanwhile, and its bytes swept: only a batch that came first keeps them.
            try await self.store(batch, after: [.require(RecordKey(.file, input.id))], adding: .batches, call)
        } catch {
            guard error == .conflict else { throw error }
            if let earlier = try await self.earlierBatch(call, draft.tenant) { return earlier }
            throw RPCErrors.noSuchFile(input.id, param: "input_file_id")
        }
        self.runner.somethingIsNew()
        return batch
    }

    private func createInline(
        _ request: CreateBatchRequest,
        _ draft: BatchDraft,
        _ call: IdempotentCall?
    ) async throws -> BatchRecord {
        guard request.inputFileID.isEmpty else {
            throw RPCErrors.invalid("requests", "Give either 'input_file_id' or 'requests'.")
        }
        var lines = request.inlineInput
        guard lines.readableBytes <= Self.maximumInlineBytes else {
            throw RPCErrors.invalid(
                "requests",
                "Inline requests have at most \(Self.maximumInlineBytes >> 10) KiB: upload more as a file."
            )
        }
        return try await self.create(draft, call, filename: "inline.jsonl") {
            lines.readableBytes == 0
                ? nil : lines.readSlice(length: min(lines.readableBytes, FilesHandlers.maximumChunkBytes))
        }
    }

    /// Creates a batch of the lines that failed in one that has ended, or of all when none was ever to run; what is not
    /// given is as it was there.
    func retry(_ request: RetryBatchRequest, _ context: RPCContext) async throws -> BatchRecord {
        let call = try IdempotentCall(request, of: "RetryBatch", context)
        if let earlier = try await self.earlierBatch(call, context.tenant) { return earlier }
        let first = try await self.batch(request.batchID, context.tenant)
        let source = try await self.retrySource(of: first)
        let window = request.completionWindow.isEmpty ? first.completionWindow : request.completionWindow
        let metadata = request.metadata.isEmpty ? first.metadata : request.metadata
        let wanted: BatchRequest
        do throws(InvalidBatchRequest) {
            wanted = try BatchRequest(
                endpoint: first.endpoint,
                completionWindow: window,
                metadata: metadata,
                outputLifetimeSeconds: first.outputLifetimeSeconds
            )
        } catch {
            throw RPCErrors.invalid(error.param, error.message)
        }
        var draft = BatchDraft(
            tenant: context.tenant,
            request: wanted,
            metadata: metadata,
            outputLifetimeSeconds: first.outputLifetimeSeconds
        )
        draft.retryOf = first.id
        draft.project = first.project
        draft.aibrix = first.aibrix
        switch source {
        case .wholeInput(let input): return try await self.create(draft, call, input)
        case .failedLines(let failed):
            let threads = self.bytes.threads
            return try await self.create(draft, call, filename: "\(first.id)_retry.jsonl") {
                try await threads.run { try failed.next() }
            }
        }
    }

    /// What a retry is made of.
    private enum RetrySource {
        /// The batch ended before its validation: no line of it had an outcome.
        case wholeInput(FileRecord)
        /// Blocking calls on it belong on the threads of files.
        case failedLines(FailedLines)
    }

    private func retrySource(of batch: BatchRecord) async throws -> RetrySource {
        guard batch.status.isTerminal else {
            throw RPCErrors.make(
                .failedPrecondition,
                "Cannot retry a batch with status '\(batch.status.rawValue)': wait for its end.",
                reason: "batch_not_retryable"
            )
        }
        guard batch.status != .failed else { throw RPCErrors.invalidInput }
        guard batch.times.inProgressAt != nil else {
            let input = try await self.input(batch.inputFileID, batch.tenant)
            // What a new batch would fail with at once.
            guard input.input?.problems.isEmpty ?? true else { throw RPCErrors.invalidInput }
            return .wholeInput(input)
        }
        guard batch.hasErrors else {
            throw RPCErrors.make(
                .failedPrecondition,
                "The batch has no failed requests to retry.",
                reason: "nothing_to_retry"
            )
        }
        return .failedLines(try await self.failedLines(of: batch))
    }

    private func failedLines(of batch: BatchRecord) async throws -> FailedLines {
        // Both have to be there still; the error names the one that is not.
        let errors = try await self.file(batch.errorFileID, batch.tenant, param: "error_file_id")
        let input = try await self.file(batch.inputFileID, batch.tenant, param: "input_file_id")
        let bytes = self.bytes
        return try await bytes.threads.run {
            FailedLines(
                errors: try bytes.open(errors.blobKey),
                reader: PlanReader(
                    input: try bytes.open(input.blobKey),
                    plan: try bytes.openPlan(of: input.id),
                    lines: batch.counts.total
                )
            )
        }
    }

    /// Makes the input file and its batch, both or neither.
    private func create(
        _ draft: BatchDraft,
        _ call: IdempotentCall?,
        filename: String,
        next: () async throws -> ByteBuffer?
    ) async throws -> BatchRecord {
        let id = self.platform.makeID(.batch)
        do {
            try await self.inputs.compose(tenant: draft.tenant, filename: filename, next: next) { fence, file in
                var input = file
                input.project = draft.project
                let batch = self.record(draft, input, id: id)
                let changes: [RecordChange] = [fence, .insert(try StoredRecord(input))]
                try await self.store(batch, after: changes, adding: [.bytes, .batches], call)
            }
        } catch StoreError.conflict {
            // The same call came twice at once, and the other was first.
            guard let earlier = try await self.earlierBatch(call, draft.tenant) else { throw StoreError.conflict }
            return earlier
        }
        self.runner.somethingIsNew()
        return try await self.batch(id, draft.tenant)
    }

    /// Stores a batch and what goes with it, within the tenant's quotas. One with too many requests is created, and
    /// fails (A2-09).
    private func store(
        _ batch: BatchRecord,
        after changes: [RecordChange],
        adding kinds: TenantQuotas.Kinds,
        _ call: IdempotentCall?
    ) async throws(StoreError) {
        let now = batch.times.createdAt
        let kinds = batch.enqueued == nil ? kinds : kinds.union(.enqueued)
        let quotas = self.quotas.changes(batch.tenant, adding: kinds, now: now)
        do throws(StoreError) {
            let all = changes + [.insert(try StoredRecord(batch))] + quotas
            try await self.store.apply(all, remembering: call?.answered(batch.id, at: now))
        } catch {
            guard case .overQuota(let excess) = error, let problem = excess.problem else { throw error }
            var failing = batch
            failing.enqueued = nil
            failing.findings?.problems = [problem]
            try await self.store(failing, after: changes, adding: kinds.subtracting(.enqueued), call)
        }
    }

    private func record(_ draft: BatchDraft, _ input: FileRecord, id: String? = nil) -> BatchRecord {
        var batch = BatchRecord(
            id: id ?? self.platform.makeID(.batch),
            tenant: draft.tenant,
            endpoint: draft.request.endpoint,
            inputFileID: input.id,
            findings: input.input,
            completionWindow: draft.request.window,
            outputFileID: self.platform.makeID(.file),
            errorFileID: self.platform.makeID(.file),
            createdAt: self.platform.time.unixSeconds,
            metadata: draft.metadata,
            outputLifetimeSeconds: draft.outputLifetimeSeconds
        )
        batch.retryOf = draft.retryOf
        batch.project = draft.project
        batch.aibrix = draft.aibrix
        if let findings = input.input, findings.problems.isEmpty {
            batch.enqueued = EnqueuedWork(lines: findings.lines, bytes: input.bytes)
        }
        return batch
    }

    private func earlierBatch(_ call: IdempotentCall?, _ tenant: String) async throws -> BatchRecord? {
        let now = self.platform.time.unixSeconds
        guard let id = try await call?.earlierAnswer(in: self.store, now: now) else { return nil }
        guard let batch = try await self.records.get(id), batch.tenant == tenant else {
            throw RPCErrors.deletedBatch(id)
        }
        return batch
    }

    private func input(_ id: String, _ tenant: String) async throws -> FileRecord {
        let file = try await self.file(id, tenant, param: "input_file_id")
        guard file.purpose == .batch else {
            throw RPCErrors.invalid(
                "input_file_id",
                "The file's purpose is '\(file.purpose.rawValue)'; upload it with the purpose 'batch'."
            )
        }
        return file
    }

    private func file(_ id: String, _ tenant: String, param: String) async throws -> FileRecord {
        guard ObjectID.isWellFormed(id, .file),
            let file = try await self.store.get(FileRecord.self, id)?.object,
            file.tenant == tenant, !file.isExpired(at: self.platform.time.unixSeconds)
        else { throw RPCErrors.noSuchFile(id, param: param) }
        return file
    }
}

/// A new batch before its input is known.
private struct BatchDraft: Sendable {
    var tenant: String
    var request: BatchRequest
    var metadata: [String: String]
    var outputLifetimeSeconds: Int64?
    var retryOf: String?
    var project: String?
    var aibrix: AIBrixExtension?
}
