import Checksum
import NIOCore
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// Makes a file of lines that no client has uploaded as one: those of an inline batch, or the failed ones of another.
struct InputComposer: Sendable {
    let uploads: UploadRegistry
    let ownership: OwnershipKeeper
    let platform: Platform

    /// Writes the bytes and stores their record.
    /// - Parameters:
    ///   - next: the next bytes, at most a few hundred KiB; nil at the end.
    ///   - store: stores the record, and whatever has to be stored with it, in one transaction that begins with the
    ///     given change.
    func compose(
        tenant: String,
        filename: String,
        next: () async throws -> ByteBuffer?,
        store: @Sendable @escaping (_ fence: RecordChange, FileRecord) async throws -> Void
    ) async throws {
        let upload = try await self.uploads.begin(tenant: tenant, purpose: .batch)
        do {
            var bytes: UInt64 = 0
            while let chunk = try await next() {
                let crc = chunk.withUnsafeReadableBytes { CRC32C.checksum($0) }
                bytes = try await upload.write(chunk, at: bytes, crc: crc, now: self.platform.time.monotonicSeconds)
            }
            try await self.complete(upload, bytes, filename, store)
            self.uploads.remove(upload.id)
        } catch {
            self.uploads.remove(upload.id)
            // What cannot be removed now goes with the staging directory, or as bytes without a record.
            try? await upload.abort()
            throw error
        }
    }

    private func complete(
        _ upload: Upload,
        _ bytes: UInt64,
        _ filename: String,
        _ store: @Sendable @escaping (_ fence: RecordChange, FileRecord) async throws -> Void
    ) async throws {
        let fence = try RecordFence(self.ownership, self.platform)
        let now = self.platform.time.unixSeconds
        _ = try await upload.complete(
            bytes: bytes,
            purpose: .batch,
            now: self.platform.time.monotonicSeconds
        ) { findings in
            let record = FileRecord(
                id: upload.targetID,
                tenant: upload.tenant,
                bytes: Int64(clamping: bytes),
                createdAt: now,
                expiresAt: FilePurpose.batch.defaultLifetimeSeconds.map { now + $0 },
                filename: filename,
                purpose: .batch,
                input: findings
            )
            try await store(try await fence.change(), record)
            return .file(record)
        }
    }
}
