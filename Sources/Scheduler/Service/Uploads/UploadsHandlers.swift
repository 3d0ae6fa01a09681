import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// The service `backfill.v1.Uploads`: uploads in parts (A8).
struct UploadsHandlers: Sendable {
    /// Longest media type, in bytes.
    static let maximumMIMETypeBytes = 255
    /// Most parts of one answer, so that it stays under 1 MiB.
    static let maximumPageParts = 1_000

    let store: any MetadataStore
    let uploads: UploadRegistry
    let composer: UploadComposer
    let ownership: OwnershipKeeper
    let sweeper: Sweeper
    let quotas: TenantQuotas
    let platform: Platform
    /// How long an upload takes parts, in seconds.
    let lifetimeSeconds: Int64

    private var records: UploadRecords { UploadRecords(store: self.store) }

    func register(in router: inout RPCRouter) {
        router.register(UploadsService.createUpload) { request, context in
            try await answering {
                CreateUploadResponse(upload: MultipartUpload(try await self.create(request, context)))
            }
        }
        router.register(UploadsService.getUpload) { request, context in
            try await answering {
                let upload = try await self.records.get(request.uploadID, tenant: context.tenant)
                return GetUploadResponse(upload: try await self.shown(upload))
            }
        }
        router.register(UploadsService.listParts) { request, context in
            try await answering { try await self.list(request, context.tenant) }
        }
        router.register(UploadsService.beginPart) { request, context in
            try await answering { try await self.beginPart(request, context.tenant) }
        }
        router.register(UploadsService.completePart) { request, context in
            try await answering {
                CompletePartResponse(part: UploadPart(try await self.completePart(request, context.tenant)))
            }
        }
        router.register(UploadsService.composeUpload) { request, context in
            try await answering {
                ComposeUploadResponse(upload: try await self.shown(try await self.compose(request, context.tenant)))
            }
        }
        router.register(UploadsService.cancelUpload) { request, context in
            try await answering {
                CancelUploadResponse(upload: try await self.shown(try await self.cancel(request, context.tenant)))
            }
        }
    }

    /// An upload as clients see it, with the file that it became.
    private func shown(_ upload: UploadRecord) async throws -> MultipartUpload {
        let now = self.platform.time.unixSeconds
        var shown = MultipartUpload(upload, at: now)
        if let id = upload.fileID, let file = try await self.store.get(FileRecord.self, id)?.object,
            !file.isExpired(at: now)
        {
            shown.file = File(file)
        }
        return shown
    }

    /// An upload that goes on.
    private func pending(_ id: String, _ tenant: String) async throws -> UploadRecord {
        let upload = try await self.records.get(id, tenant: tenant)
        let status = upload.status(at: self.platform.time.unixSeconds)
        guard status == .pending else { throw RPCErrors.refused(.ended(status), id) }
        return upload
    }
}

// MARK: - Uploads

extension UploadsHandlers {
    private func create(_ request: CreateUploadRequest, _ context: RPCContext) async throws -> UploadRecord {
        let tenant = context.tenant
        let purpose = try FilePurpose(uploaded: request.purpose)
        try self.check(request)
        guard request.bytes <= UInt64(purpose.maximumUploadBytes) else { throw RPCErrors.uploadTooLarge(purpose) }
        let now = self.platform.time.unixSeconds
        var upload = UploadRecord(
            id: self.platform.makeID(.upload),
            tenant: tenant,
            filename: request.filename,
            purpose: purpose,
            bytes: Int64(request.bytes),
            mimeType: request.mimeType,
            fileLifetimeSeconds: request.expiresAfterSeconds.map { Int64(clamping: $0) },
            createdAt: now,
            expiresAt: now + self.lifetimeSeconds
        )
        upload.project = context.project
        do throws(StoreError) {
            let bound = RecordChange.requireFewer(
                than: UploadRecord.maximumLive,
                of: .upload,
                tenant: tenant,
                label: UploadRecord.pendingLabel
            )
            try await self.store.apply([bound, .insert(try StoredRecord(upload))])
        } catch {
            throw error == .conflict ? RPCErrors.tooManyPendingUploads : RPCErrors.store(error)
        }
        return upload
    }

    private func check(_ request: CreateUploadRequest) throws(RPCError) {
        guard !request.filename.isEmpty, request.filename.utf8.count <= FilesHandlers.maximumFilenameBytes else {
            throw RPCErrors.invalid("filename", "A name has 1 to \(FilesHandlers.maximumFilenameBytes) bytes.")
        }
        guard request.mimeType.utf8.count <= Self.maximumMIMETypeBytes else {
            throw RPCErrors.invalid("mime_type", "A media type has at most \(Self.maximumMIMETypeBytes) bytes.")
        }
        if let lifetime = request.expiresAfterSeconds,
            !BatchRequest.lifetimeSeconds.contains(Int64(clamping: lifetime))
        {
            throw RPCErrors.invalid("expires_after.seconds", "A file lives 3600 to 2592000 seconds.")
        }
        guard request.bytes > 0 else { throw RPCErrors.invalid("bytes", "A file has at least one byte.") }
    }

    private func cancel(_ request: CancelUploadRequest, _ tenant: String) async throws -> UploadRecord {
        _ = try await self.records.get(request.uploadID, tenant: tenant)
        let change = try await self.records.apply(to: request.uploadID) {
            $0.cancelRequested(at: self.platform.time.unixSeconds)
        }
        if case .refused(let refusal) = change.outcome { throw RPCErrors.refused(refusal, request.uploadID) }
        self.sweeper.uploadEnded(change.record.id)
        return change.record
    }

    private func compose(_ request: ComposeUploadRequest, _ tenant: String) async throws -> UploadRecord {
        let wanted = try CompletionRequest(uploadID: request.uploadID, partIDs: request.partIds, md5: request.md5)
        let upload = try await self.records.get(wanted.uploadID, tenant: tenant)
        switch upload.status(at: self.platform.time.unixSeconds) {
        case .pending: return try await self.composer.complete(wanted)
        case .completed where upload.completion == wanted.identity: return upload
        case let status: throw RPCErrors.refused(.ended(status), upload.id)
        }
    }
}

// MARK: - Parts

extension UploadsHandlers {
    private func list(_ request: ListPartsRequest, _ tenant: String) async throws -> ListPartsResponse {
        guard request.after.isEmpty || ObjectID.isWellFormed(request.after, .part) else {
            throw RPCErrors.invalid("after", "'after' is the id of a part.")
        }
        let upload = try await self.records.get(request.uploadID, tenant: tenant)
        guard upload.status(at: self.platform.time.unixSeconds) == .pending else { return ListPartsResponse() }
        let limit = min(max(Int(request.limit), 1), Self.maximumPageParts)
        let page = try await self.records.parts(
            of: upload.id,
            after: request.after.isEmpty ? nil : request.after,
            limit: limit + 1
        )
        return ListPartsResponse(parts: page.prefix(limit).map(UploadPart.init), hasMore: page.count > limit)
    }

    private func beginPart(_ request: BeginPartRequest, _ tenant: String) async throws -> BeginPartResponse {
        if let expected = request.expectedBytes, expected > UInt64(UploadPartRecord.maximumBytes) {
            throw RPCErrors.partTooLarge
        }
        let upload = try await self.pending(request.uploadID, tenant)
        let part = try await self.uploads.beginPart(of: upload.id, tenant: tenant)
        return BeginPartResponse(partID: part.id, maximumChunkBytes: UInt32(FilesHandlers.maximumChunkBytes))
    }

    private func completePart(_ request: CompletePartRequest, _ tenant: String) async throws -> UploadPartRecord {
        guard let staged = self.uploads.find(request.partID, tenant: tenant), case .part(let uploadID) = staged.target
        else { throw RPCErrors.noSuchPart(request.partID) }
        guard request.bytes > 0 else { throw RPCErrors.invalid("data", "A part has at least one byte.") }
        let fence = try RecordFence(self.ownership, self.platform)
        let completed = try await staged.complete(
            bytes: request.bytes,
            purpose: nil,
            now: self.platform.time.monotonicSeconds
        ) { _ in
            let part = UploadPartRecord(
                id: staged.id,
                uploadID: uploadID,
                tenant: tenant,
                bytes: Int64(clamping: request.bytes),
                createdAt: self.platform.time.unixSeconds
            )
            try await self.add(part, after: try await fence.change())
            return .part(part)
        }
        guard case .part(let part) = completed else { throw RPCErrors.noSuchPart(request.partID) }
        self.uploads.wasCompleted(staged)
        return part
    }

    /// Stores a part whose bytes are durable. Parts count towards their tenant's bytes, so the file that they make adds
    /// none.
    private func add(_ part: UploadPartRecord, after fence: RecordChange) async throws {
        let changes: [RecordChange] = [fence, .insert(try StoredRecord(part))]
        do {
            let change = try await self.records.apply(
                to: part.uploadID,
                alongside: changes + self.quotas.changes(part.tenant, adding: .bytes, now: part.createdAt)
            ) { $0.partAdded(bytes: part.bytes, at: self.platform.time.unixSeconds) }
            guard case .refused(let refusal) = change.outcome else { return }
            // It will have no record: nobody need wait for the sweep of orphans.
            self.sweeper.bytesWereLeft(part)
            throw RPCErrors.refused(refusal, part.uploadID)
        } catch StoreError.overQuota(let excess) {
            self.sweeper.bytesWereLeft(part)
            throw RPCErrors.store(.overQuota(excess))
        }
    }
}

extension MultipartUpload {
    /// The upload as callers see it at a time in Unix seconds, without its file.
    init(_ record: UploadRecord, at now: Int64) {
        let status: UploadStatus =
            switch record.status(at: now) {
            case .pending: .pending
            case .completed: .completed
            case .cancelled: .cancelled
            case .expired: .expired
            }
        self.init(
            id: record.id,
            bytes: UInt64(record.bytes),
            createdAt: record.createdAt,
            expiresAt: record.expiresAt,
            filename: record.filename,
            purpose: record.purpose.rawValue,
            status: status,
            parts: UInt32(clamping: record.parts),
            receivedBytes: UInt64(record.receivedBytes),
            mimeType: record.mimeType
        )
    }

    /// A new upload.
    init(_ record: UploadRecord) {
        self.init(record, at: record.createdAt)
    }
}

extension UploadPart {
    init(_ record: UploadPartRecord) {
        self.init(
            id: record.id,
            uploadID: record.uploadID,
            createdAt: record.createdAt,
            bytes: UInt64(record.bytes)
        )
    }
}
