import ProtoRPC
import SchedulerCore
import SchedulerStores

/// What a client asks for when it completes an upload.
struct CompletionRequest: Sendable {
    let uploadID: String
    /// In the file's order.
    let partIDs: [String]
    /// 32 lowercase hexadecimal digits; nil: not checked.
    let md5: String?
    /// Tells this request from others of the upload.
    let identity: String

    /// - Throws: INVALID_ARGUMENT when the parts or the hash cannot be right whatever the upload has.
    init(uploadID: String, partIDs: [String], md5: String) throws(RPCError) {
        do throws(PartSelection.Problem) {
            try PartSelection.check(partIDs)
        } catch {
            throw RPCErrors.selection(error)
        }
        let md5 = md5.lowercased()
        guard md5.isEmpty || md5.utf8.count == MD5.digits && md5.utf8.allSatisfy({ Self.hexadecimal.contains($0) })
        else {
            throw RPCErrors.invalid("md5", "'md5' has \(MD5.digits) hexadecimal digits.")
        }
        self.uploadID = uploadID
        self.partIDs = partIDs
        self.md5 = md5.isEmpty ? nil : md5
        self.identity = SHA256.hash((partIDs + [md5]).joined(separator: "\n").utf8).hexadecimal
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)
}

/// Makes an upload a file: composes its parts, makes the file durable, and stores its record and the upload's end in one
/// transaction. A crash at any point leaves the upload pending, or completed and whole.
struct UploadCompletion: Sendable {
    let records: UploadRecords
    let bytes: FileBytes
    let ownership: OwnershipKeeper
    let sweeper: Sweeper
    let platform: Platform

    /// The completed upload.
    func run(_ request: CompletionRequest) async throws -> UploadRecord {
        let id = request.uploadID
        // An upload that is not pending any more never is again, so what is composed below was checked.
        let parts = try await self.parts(request)
        let began = try await self.records.apply(to: id) {
            $0.completionBegan(request.identity, at: self.platform.time.unixSeconds)
        }
        switch began.outcome {
        case .changed: break
        case .unchanged: return began.record
        case .refused(let refusal): throw RPCErrors.refused(refusal, id)
        }
        do {
            return try await self.compose(parts, request, began.record)
        } catch {
            return try await self.afterFailure(error, request)
        }
    }

    /// The parts of a pending upload that make the file.
    private func parts(_ request: CompletionRequest) async throws -> [UploadPartRecord] {
        guard let upload = try await self.records.store.get(UploadRecord.self, request.uploadID)?.object,
            upload.status == .pending
        else { return [] }
        let stored = try await self.records.parts(of: upload.id)
        do throws(PartSelection.Problem) {
            return try PartSelection.parts(request.partIDs, of: stored, bytes: upload.bytes)
        } catch {
            throw RPCErrors.selection(error)
        }
    }

    /// Somebody else may have ended the upload meanwhile, and its parts are gone for that: then that is the answer.
    private func afterFailure(_ error: any Error, _ request: CompletionRequest) async throws -> UploadRecord {
        guard let change = try? await self.records.apply(to: request.uploadID, { $0.completionFailed() }) else {
            throw error
        }
        switch change.record.status {
        case .pending: throw error
        case .completed where change.record.completion == request.identity: return change.record
        case .completed, .cancelled, .expired: throw RPCErrors.refused(.ended(change.record.status), request.uploadID)
        }
    }

    private func compose(
        _ parts: [UploadPartRecord],
        _ request: CompletionRequest,
        _ upload: UploadRecord
    ) async throws -> UploadRecord {
        let fileID = self.platform.makeID(.file)
        let (threads, blobs) = (self.bytes.threads, self.bytes.blobs)
        let composition = try await threads.run {
            try UploadComposition(
                id: fileID,
                parts: parts,
                isBatchInput: upload.purpose == .batch,
                hashes: request.md5 != nil,
                blobs: blobs
            )
        }
        do {
            while try await threads.run({ try composition.step() }) {}
            let hash = try await threads.run { composition.hash() }
            guard hash == request.md5 else { throw RPCErrors.wrongMD5 }
            return try await self.store(composition, as: fileID, request, upload)
        } catch {
            // What cannot be removed now goes with this scheduler's staging directory.
            try? await threads.runToTheEnd { try composition.abort() }
            throw error
        }
    }

    private func store(
        _ composition: UploadComposition,
        as fileID: String,
        _ request: CompletionRequest,
        _ upload: UploadRecord
    ) async throws -> UploadRecord {
        let fence = try RecordFence(self.ownership, self.platform)
        let findings = try await self.bytes.threads.run { try composition.commit(as: fileID) }
        let now = self.platform.time.unixSeconds
        var file = FileRecord(
            id: fileID,
            tenant: upload.tenant,
            bytes: upload.bytes,
            createdAt: now,
            expiresAt: (upload.fileLifetimeSeconds ?? upload.purpose.defaultLifetimeSeconds).map { now + $0 },
            filename: upload.filename,
            purpose: upload.purpose,
            input: findings
        )
        file.project = upload.project
        let change = try await self.records.apply(
            to: upload.id,
            alongside: [try await fence.change(), .insert(try StoredRecord(file))]
        ) { $0.composed(request.identity, as: fileID, at: now) }
        if change.record.fileID != fileID { self.sweeper.bytesWereLeft(file) }
        if case .refused(let refusal) = change.outcome { throw RPCErrors.refused(refusal, upload.id) }
        self.sweeper.uploadEnded(upload.id)
        return change.record
    }
}
