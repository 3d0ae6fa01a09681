import Checksum
import Logging
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// The service `backfill.v1.Files`.
struct FilesHandlers: Sendable {
    /// Largest chunk, up and down, in bytes.
    static let maximumChunkBytes = 256 << 10
    /// Longest filename, in bytes.
    static let maximumFilenameBytes = 4 << 10
    /// Most files of one answer, so that it stays under 1 MiB.
    static let maximumPageFiles = 128

    let store: any MetadataStore
    let bytes: FileBytes
    let uploads: UploadRegistry
    let ownership: OwnershipKeeper
    let sweeper: Sweeper
    let quotas: TenantQuotas
    let platform: Platform
    let logger: Logger

    func register(in router: inout RPCRouter) {
        router.register(FilesService.beginUpload) { request, context in
            try await answering { try await self.begin(request, context.tenant) }
        }
        router.register(FilesService.writeChunk) { request, context in
            try await answering { try await self.write(request, context.tenant) }
        }
        router.register(FilesService.completeUpload) { request, context in
            try await answering { try await self.complete(request, context.tenant, context.project) }
        }
        router.register(FilesService.abortUpload) { request, context in
            try await answering { try await self.abort(request, context.tenant) }
        }
        router.register(FilesService.getFile) { request, context in
            try await answering {
                GetFileResponse(file: File(try await self.file(request.fileID, context.tenant)))
            }
        }
        router.register(FilesService.listFiles) { request, context in
            try await answering { try await self.list(request, context.tenant, context.project) }
        }
        router.register(FilesService.deleteFile) { request, context in
            try await answering { try await self.delete(request, context.tenant) }
        }
        router.register(FilesService.readFile) { request, context in
            try await answering { try await self.read(request, context.tenant) }
        }
    }

    /// A file of this tenant that has not expired (A7-12).
    private func file(_ id: String, _ tenant: String) async throws -> FileRecord {
        guard ObjectID.isWellFormed(id, .file),
            let file = try await self.store.get(FileRecord.self, id)?.object,
            file.tenant == tenant, !file.isExpired(at: self.platform.time.unixSeconds)
        else { throw RPCErrors.noSuchFile(id, param: "id") }
        return file
    }
}

// MARK: - Uploads

extension FilesHandlers {
    private func begin(_ request: BeginUploadRequest, _ tenant: String) async throws -> BeginUploadResponse {
        let purpose = request.purpose.isEmpty ? nil : try FilePurpose(uploaded: request.purpose)
        let limit = (purpose ?? .userData).maximumBytes
        if let expected = request.expectedBytes, expected > UInt64(limit) {
            throw RPCErrors.fileTooLarge(limit: limit)
        }
        let upload = try await self.uploads.begin(tenant: tenant, purpose: purpose)
        return BeginUploadResponse(uploadID: upload.id, maximumChunkBytes: UInt32(Self.maximumChunkBytes))
    }

    private func write(_ request: WriteChunkRequest, _ tenant: String) async throws -> WriteChunkResponse {
        guard request.data.readableBytes <= Self.maximumChunkBytes else {
            throw RPCErrors.invalid("data", "A chunk holds at most \(Self.maximumChunkBytes) bytes.")
        }
        let staged = try await self.upload(request.uploadID, tenant).write(
            request.data,
            at: request.offset,
            crc: request.crc32c,
            now: self.platform.time.monotonicSeconds
        )
        return WriteChunkResponse(stagedBytes: staged)
    }

    private func complete(
        _ request: CompleteUploadRequest,
        _ tenant: String,
        _ project: String?
    ) async throws -> CompleteUploadResponse {
        let upload = try self.upload(request.uploadID, tenant)
        guard case .file(let declared) = upload.target else { throw RPCErrors.noSuchUpload(request.uploadID) }
        let purpose = try FilePurpose(uploaded: request.purpose)
        guard !request.filename.isEmpty, request.filename.utf8.count <= Self.maximumFilenameBytes else {
            throw RPCErrors.invalid("file", "Give the file a name of 1 to \(Self.maximumFilenameBytes) bytes.")
        }
        let lifetime = request.expiresAfterSeconds.map { Int64(clamping: $0) }
        if let lifetime, !BatchRequest.lifetimeSeconds.contains(lifetime) {
            throw RPCErrors.invalid("expires_after[seconds]", "A file lives 3600 to 2592000 seconds.")
        }
        if let declared, declared != purpose {
            throw RPCErrors.invalid("purpose", "The upload was begun for '\(declared.rawValue)'.")
        }
        let fence = try RecordFence(self.ownership, self.platform)
        let now = self.platform.time.unixSeconds
        let completed = try await upload.complete(
            bytes: request.bytes,
            purpose: purpose,
            now: self.platform.time.monotonicSeconds
        ) { findings in
            var record = FileRecord(
                id: upload.targetID,
                tenant: tenant,
                bytes: Int64(clamping: request.bytes),
                createdAt: now,
                expiresAt: (lifetime ?? purpose.defaultLifetimeSeconds).map { now + $0 },
                filename: request.filename,
                purpose: purpose,
                input: findings
            )
            record.project = project
            let changes: [RecordChange] = [try await fence.change(), .insert(try StoredRecord(record))]
            try await self.store.apply(changes + self.quotas.changes(tenant, adding: .bytes, now: now))
            return .file(record)
        }
        guard case .file(let record) = completed else { throw RPCErrors.noSuchUpload(request.uploadID) }
        self.uploads.wasCompleted(upload)
        return CompleteUploadResponse(file: File(record))
    }

    private func abort(_ request: AbortUploadRequest, _ tenant: String) async throws -> AbortUploadResponse {
        if let upload = self.uploads.find(request.uploadID, tenant: tenant) {
            self.uploads.remove(upload.id)
            try await upload.abort()
        }
        return AbortUploadResponse()
    }

    private func upload(_ id: String, _ tenant: String) throws -> Upload {
        guard let upload = self.uploads.find(id, tenant: tenant) else { throw RPCErrors.noSuchUpload(id) }
        return upload
    }
}

extension FilePurpose {
    /// The purpose of a file that a client uploads.
    /// - Throws: INVALID_ARGUMENT for what is none.
    init(uploaded text: String) throws(RPCError) {
        guard let purpose = FilePurpose(rawValue: text), purpose.isUploadable else {
            let known = FilePurpose.allCases.filter(\.isUploadable).map { "'\($0.rawValue)'" }.joined(separator: ", ")
            throw RPCErrors.invalid("purpose", "'\(text.prefix(64))' is not a purpose. Use one of: \(known).")
        }
        self = purpose
    }
}

// MARK: - Files

extension FilesHandlers {
    private func list(
        _ request: ListFilesRequest,
        _ tenant: String,
        _ project: String?
    ) async throws -> ListFilesResponse {
        guard request.after.isEmpty || ObjectID.isWellFormed(request.after, .file) else {
            throw RPCErrors.invalid("after", "'after' is the id of a file.")
        }
        var wanted = min(Int(request.limit), Self.maximumPageFiles)
        var files: [FileRecord] = []
        var after = request.after.isEmpty ? nil : request.after
        var hasMore = true
        let now = self.platform.time.unixSeconds
        // Expired files are not there, and other projects' are not shown, so a page may take several reads.
        while wanted > 0, hasMore {
            let page = try await self.store.list(
                RecordQuery(
                    kind: .file,
                    tenant: tenant,
                    label: request.purpose.isEmpty ? nil : request.purpose,
                    after: after,
                    ascending: request.ascending,
                    limit: wanted + 1
                )
            )
            hasMore = page.count > wanted
            let shown = page.prefix(wanted)
            after = shown.last?.key.id
            let live = shown.compactMap(self.readable).filter { file in
                !file.isExpired(at: now) && file.project == project ?? file.project
            }
            files += live
            wanted -= live.count
        }
        return ListFilesResponse(files: files.map(File.init), hasMore: hasMore)
    }

    /// One damaged record must not take the list with it; asked for by its id it is an error.
    private func readable(_ stored: StoredRecord) -> FileRecord? {
        do {
            return try stored.decoded(FileRecord.self).object
        } catch {
            self.logger.error("a file's record cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func delete(_ request: DeleteFileRequest, _ tenant: String) async throws -> DeleteFileResponse {
        let file = try await self.file(request.fileID, tenant)
        do throws(StoreError) {
            try await self.store.apply([.delete(RecordKey(.file, file.id))])
        } catch {
            throw error == .conflict ? RPCErrors.noSuchFile(file.id, param: "id") : RPCErrors.store(error)
        }
        self.sweeper.fileWasDeleted(file)
        return DeleteFileResponse()
    }

    private func read(_ request: ReadFileRequest, _ tenant: String) async throws -> ReadFileResponse {
        let file = try await self.file(request.fileID, tenant)
        guard let offset = Int64(exactly: request.offset) else {
            throw RPCErrors.invalid("offset", "The offset is out of range.")
        }
        let count = min(Int(request.maximumBytes), Self.maximumChunkBytes)
        let bytes = self.bytes
        let data: [UInt8]
        do {
            data = try await bytes.threads.run { try bytes.open(file.blobKey).read(count: count, at: offset) }
        } catch let error as FileError where error.damage != nil {
            self.logger.error("a stored file is damaged", metadata: ["error": "\(error)"])
            throw error
        }
        return ReadFileResponse(
            data: .init(bytes: data),
            fileBytes: UInt64(file.bytes),
            crc32c: data.withUnsafeBytes { CRC32C.checksum($0) }
        )
    }
}

extension File {
    /// The file as callers see it. A batch input with problems is a file all the same; its batch will fail (A3-01).
    init(_ record: FileRecord) {
        self.init(
            id: record.id,
            bytes: UInt64(record.bytes),
            createdAt: record.createdAt,
            expiresAt: record.expiresAt,
            filename: record.filename,
            purpose: record.purpose.rawValue,
            status: .processed
        )
    }
}
