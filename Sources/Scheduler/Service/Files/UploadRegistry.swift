import SchedulerCore
import SchedulerStores
import ServiceLifecycle
import Synchronization

/// The uploads under way in this scheduler; drops those that nobody goes on with.
final class UploadRegistry: Service {
    /// Uploads at a time.
    static let maximumUploads = 1_024
    /// An upload without a call for this long is dropped, in seconds.
    static let idleSeconds: Int64 = 3_600
    private static let sweepInterval = Duration.seconds(60)

    /// A completed upload is remembered so long, in seconds.
    static let finishedSeconds: Int64 = 120

    private let uploads = Mutex<[String: Upload]>([:])
    private let finished = Mutex<[String: Upload]>([:])
    private let bytes: FileBytes
    private let platform: Platform

    init(bytes: FileBytes, platform: Platform) {
        self.bytes = bytes
        self.platform = platform
    }

    func run() async throws {
        await self.platform.untilShutdown {
            while (try? await self.platform.time.sleep(Self.sweepInterval)) != nil {
                await self.dropIdle()
            }
        }
    }

    /// Opens an upload of a file.
    func begin(tenant: String, purpose: FilePurpose?) async throws -> Upload {
        try await self.begin(
            self.platform.makeID(.upload),
            tenant,
            .file(purpose),
            as: self.platform.makeID(.file),
            mayBeBatchInput: purpose == nil || purpose == .batch
        )
    }

    /// Opens a part of an upload. Both have the id of the part.
    func beginPart(of uploadID: String, tenant: String) async throws -> Upload {
        let id = self.platform.makeID(.part)
        return try await self.begin(id, tenant, .part(uploadID: uploadID), as: id, mayBeBatchInput: false)
    }

    private func begin(
        _ id: String,
        _ tenant: String,
        _ target: Upload.Target,
        as targetID: String,
        mayBeBatchInput: Bool
    ) async throws -> Upload {
        guard self.uploads.withLock({ $0.count }) < Self.maximumUploads else { throw RPCErrors.tooManyUploads }
        let blobs = self.bytes.blobs
        let writer = try await self.bytes.threads.run {
            try UploadWriter(id: id, mayBeBatchInput: mayBeBatchInput, blobs: blobs)
        }
        let upload = Upload(
            id: id,
            tenant: tenant,
            target: target,
            targetID: targetID,
            writer: writer,
            threads: self.bytes.threads,
            now: self.platform.time.monotonicSeconds
        )
        self.uploads.withLock { $0[id] = upload }
        return upload
    }

    /// The upload of this tenant; nil when there is none.
    func find(_ id: String, tenant: String) -> Upload? {
        (self.uploads.withLock { $0[id] } ?? self.finished.withLock { $0[id] })
            .flatMap { $0.tenant == tenant ? $0 : nil }
    }

    /// Forgets an upload that was completed or aborted.
    func remove(_ id: String) {
        _ = self.uploads.withLock { $0.removeValue(forKey: id) }
    }

    /// An upload became a file or a part: it is kept a while, in case its reply was lost, and counts no more.
    func wasCompleted(_ upload: Upload) {
        self.finished.withLock { $0[upload.id] = upload }
        self.remove(upload.id)
    }

    private func dropIdle() async {
        let oldestFinished = self.platform.time.monotonicSeconds - Self.finishedSeconds
        for upload in self.finished.withLock({ Array($0.values) }) where await upload.lastUse < oldestFinished {
            _ = self.finished.withLock { $0.removeValue(forKey: upload.id) }
        }
        let oldest = self.platform.time.monotonicSeconds - Self.idleSeconds
        for upload in self.uploads.withLock({ Array($0.values) }) where await upload.lastUse < oldest {
            self.remove(upload.id)
            // A staged file that cannot be removed now goes at the next start.
            try? await upload.abort()
        }
    }
}
