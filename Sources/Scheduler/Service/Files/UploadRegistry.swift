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

    /// Opens an upload.
    func begin(tenant: String, purpose: FilePurpose?) async throws -> Upload {
        guard self.uploads.withLock({ $0.count }) < Self.maximumUploads else { return try Self.refuse() }
        let id = self.platform.makeID(.upload)
        let blobs = self.bytes.blobs
        let writer = try await self.bytes.threads.run {
            try UploadWriter(id: id, mayBeBatchInput: purpose == nil || purpose == .batch, blobs: blobs)
        }
        let upload = Upload(
            id: id,
            tenant: tenant,
            purpose: purpose,
            fileID: self.platform.makeID(.file),
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

    /// An upload became a file: it is kept a while, in case its reply was lost, and counts no more.
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

    private static func refuse() throws -> Upload {
        throw RPCErrors.tooManyUploads
    }
}
