import NIOPosix
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

    private let uploads = Mutex<[String: Upload]>([:])
    private let bytes: FileBytes
    private let time: SystemTime

    init(bytes: FileBytes, time: SystemTime) {
        self.bytes = bytes
        self.time = time
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.sweepInterval)) != nil {
                await self.dropIdle()
            }
        }
    }

    /// Opens an upload.
    func begin(tenant: String, purpose: FilePurpose?) async throws -> Upload {
        guard self.uploads.withLock({ $0.count }) < Self.maximumUploads else { return try Self.refuse() }
        let id = ObjectID.make(.upload, unixMilliseconds: self.time.unixMilliseconds())
        let blobs = self.bytes.blobs
        let writer = try await self.bytes.threads.runIfActive {
            try UploadWriter(id: id, mayBeBatchInput: purpose == nil || purpose == .batch, blobs: blobs)
        }
        let upload = Upload(
            id: id,
            tenant: tenant,
            purpose: purpose,
            writer: writer,
            threads: self.bytes.threads,
            now: self.time.unixSeconds
        )
        self.uploads.withLock { $0[id] = upload }
        return upload
    }

    /// The upload of this tenant; nil when there is none.
    func find(_ id: String, tenant: String) -> Upload? {
        self.uploads.withLock { $0[id] }.flatMap { $0.tenant == tenant ? $0 : nil }
    }

    /// Forgets an upload that was completed or aborted.
    func remove(_ id: String) {
        _ = self.uploads.withLock { $0.removeValue(forKey: id) }
    }

    private func dropIdle() async {
        let oldest = self.time.unixSeconds - Self.idleSeconds
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
