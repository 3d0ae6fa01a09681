import Logging
import SchedulerCore
import SchedulerStores
import ServiceLifecycle
import Synchronization

/// Removes what nobody needs any more: expired files, uploads and parts, bytes without a record, job files of ended batches, old
/// idempotency keys, what dead schedulers staged. One scheduler of a store does it.
final class Sweeper: Service {
    /// How long a missing lease is waited for.
    private static let leaseWait = Duration.seconds(1)

    /// What is to be removed between two passes.
    private enum Removal: Sendable {
        /// Bytes, unless something needs them.
        case bytes([String])
        /// The parts of an upload that has ended.
        case parts(uploadID: String)
    }

    private let store: any MetadataStore
    private let bytes: FileBytes
    private let ownership: OwnershipKeeper
    private let instances: InstanceLocks
    private let jobsDirectory: String
    private let platform: Platform
    private let interval: Duration
    private let logger: Logger
    private let uploads: UploadCleaner
    private let deleted: AsyncStream<Removal>
    private let deletion: AsyncStream<Removal>.Continuation
    /// Bytes that had no record at the last pass, and when that was seen first. Bytes of an upload get their record
    /// within a moment, or not at all (`OwnershipKeeper.recordAge`).
    private let suspects = Mutex<[String: Int64]>([:])

    init(
        environment: JobEnvironment,
        instances: InstanceLocks,
        interval: Duration,
        logger: Logger
    ) {
        self.store = environment.store
        self.bytes = environment.bytes
        self.ownership = environment.ownership
        self.instances = instances
        self.jobsDirectory = environment.jobsDirectory
        self.platform = environment.platform
        self.interval = interval
        self.logger = logger
        self.uploads = UploadCleaner(
            store: environment.store,
            bytes: environment.bytes,
            platform: environment.platform,
            logger: logger
        )
        (self.deleted, self.deletion) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1_024))
    }

    /// Sweeps until shutdown.
    func run() async throws {
        await self.platform.untilShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.removeDeleted() }
                group.addTask { await self.sweepNowAndThen() }
            }
        }
    }

    /// A file's record was deleted: its bytes go now, unless a batch reads them.
    func fileWasDeleted(_ file: FileRecord) {
        self.deletion.yield(.bytes([file.blobKey, FileBytes.planKey(file.id)]))
    }

    /// A batch has ended: its input's bytes go if the file was deleted meanwhile.
    func inputWasReleased(_ fileID: String) {
        self.deletion.yield(.bytes([fileID, FileBytes.planKey(fileID)]))
    }

    /// A file's bytes are in place and it gets no record.
    func bytesWereLeft(_ file: FileRecord) {
        self.fileWasDeleted(file)
    }

    /// A part's bytes are in place and it gets no record.
    func bytesWereLeft(_ part: UploadPartRecord) {
        self.deletion.yield(.bytes([part.id]))
    }

    /// An upload has ended: its parts go now.
    func uploadEnded(_ uploadID: String) {
        self.deletion.yield(.parts(uploadID: uploadID))
    }

    private func removeDeleted() async {
        for await removal in self.deleted {
            do {
                switch removal {
                case .bytes(let keys):
                    let unreferenced = try await self.unreferenced(keys)
                    await self.platform.wait(if: .waitBeforeRemoval)
                    try await self.bytes.remove(unreferenced)
                case .parts(let uploadID): try await self.uploads.removeParts(of: uploadID)
                }
            } catch {
                self.logger.warning("bytes stay until the next sweep", metadata: ["error": "\(error)"])
            }
        }
    }

    private func sweepNowAndThen() async {
        while !Task.isCancelled {
            guard self.ownership.owner != nil else {
                try? await self.platform.time.sleep(Self.leaseWait)
                continue
            }
            do {
                try await self.sweep()
            } catch {
                self.logger.warning("a sweep was cut short", metadata: ["error": "\(error)"])
            }
            try? await self.platform.time.sleep(self.interval)
        }
    }

    /// One pass over everything, if no other scheduler does it.
    private func sweep() async throws {
        guard let owner = self.ownership.owner, try await self.store.claim([ClaimKey.sweeper], for: owner) else {
            self.suspects.withLock { $0 = [:] }
            return
        }
        let now = self.platform.time.unixSeconds
        try await self.deleteExpiredFiles(now)
        try await self.uploads.sweep(now)
        try await self.store.forgetAnswers(before: now - RememberedAnswer.lifetimeSeconds)
        try await self.removeUnreferencedBytes()
        try await self.removeJobFiles()
        try await self.removeStaging()
    }
}

// MARK: - Files

extension Sweeper {
    private static let pageRecords = 200

    private func deleteExpiredFiles(_ now: Int64) async throws {
        let pageRecords = self.platform.pageSize(Self.pageRecords, unless: .smallPagesOfSweeps)
        var after: String?
        repeat {
            let page = try await self.store.list(
                RecordQuery(kind: .file, after: after, ascending: true, limit: pageRecords)
            )
            for stored in page {
                guard let file = try? stored.decoded(FileRecord.self).object, file.isExpired(at: now) else { continue }
                do throws(StoreError) {
                    try await self.store.apply([.delete(stored.key)])
                } catch {
                    guard error == .conflict else { throw error }
                }
                self.fileWasDeleted(file)
            }
            after = page.count == pageRecords ? page.last?.key.id : nil
        } while after != nil
    }

    /// Removes what has been unreferenced for long enough, at more than one pass.
    private func removeUnreferencedBytes() async throws {
        let before = self.suspects.withLock { $0 }
        let now = self.platform.time.bootMilliseconds()
        var found: [String: Int64] = [:]
        let blobs = self.bytes.blobs
        for shard in try await self.platform.threads.run({ try blobs.shards() }).sorted() {
            let keys = try await self.platform.threads.run { try blobs.keys(in: shard) }
            let unreferenced = try await self.unreferenced(keys.sorted())
            let old = unreferenced.filter { before[$0].map { now - $0 >= self.ownership.orphanAge } ?? false }
            await self.platform.wait(if: .waitBeforeRemoval)
            try await self.bytes.remove(old)
            if !old.isEmpty { self.logger.notice("removed unreferenced bytes", metadata: ["files": "\(old.count)"]) }
            for key in unreferenced { found[key] = before[key] ?? now }
        }
        self.suspects.withLock { [found] in $0 = found }
    }

    /// The keys that no file, no part and no batch that goes on needs.
    private func unreferenced(_ keys: [String]) async throws -> [String] {
        var candidates: [String] = []
        for key in keys {
            if ObjectID.isWellFormed(key, .part) {
                if try await self.store.get(RecordKey(.uploadPart, key)) == nil { candidates.append(key) }
                continue
            }
            let id = FileBytes.fileID(ofKey: key)
            guard let stored = try await self.store.get(RecordKey(.file, id)) else {
                candidates.append(key)
                continue
            }
            // A record that cannot be read keeps its bytes.
            guard let file = try? stored.decoded(FileRecord.self).object else { continue }
            if key != file.blobKey, key != FileBytes.planKey(id) { candidates.append(key) }
        }
        guard !candidates.isEmpty else { return [] }
        // Looked up after the files: a batch begins only while its file's record is there.
        let used = try await self.filesOfBatches()
        return candidates.filter { !used.contains(FileBytes.fileID(ofKey: $0)) }
    }

    /// Inputs that batches read and outputs that they write.
    /// - Throws: `StoreError.unreadable` when one cannot be read: nothing is removed then, for nobody knows what it needs.
    private func filesOfBatches() async throws -> Set<String> {
        let pageRecords = self.platform.pageSize(Self.pageRecords, unless: .smallPagesOfSweeps)
        var used: Set<String> = []
        for label in [BatchRecord.activeLabel, BatchRecord.cancellingLabel, BatchRecord.quarantinedLabel] {
            var after: String?
            repeat {
                let page = try await self.store.list(
                    RecordQuery(kind: .batch, label: label, after: after, ascending: true, limit: pageRecords)
                )
                for stored in page {
                    let batch = try stored.decoded(BatchRecord.self).object
                    used.formUnion([batch.inputFileID, batch.outputFileID, batch.errorFileID])
                }
                after = page.count == pageRecords ? page.last?.key.id : nil
            } while after != nil
        }
        return used
    }
}

// MARK: - Files of jobs and of dead schedulers

extension Sweeper {
    /// Result logs of batches that have ended; a crash may have come before they were removed.
    private func removeJobFiles() async throws {
        let files = self.platform.files
        let directory = self.jobsDirectory
        for id in try await self.platform.threads.run({ try files.list(directory) }).sorted() {
            if let stored = try await self.store.get(RecordKey(.batch, id)) {
                guard let batch = try? stored.decoded(BatchRecord.self).object, batch.status.isTerminal else {
                    continue
                }
            }
            try await self.platform.threads.run { try files.removeDirectory("\(directory)/\(id)") }
        }
    }

    private func removeStaging() async throws {
        let live = Set(try await self.store.ownership().owners.map(InstanceLocks.instance(ofOwner:)))
        let blobs = self.bytes.blobs
        let own = self.ownership.instance
        let instances = self.instances
        try await self.platform.threads.run {
            for instance in try blobs.stagingInstances() where instance != own && !live.contains(instance) {
                try blobs.dropStaging(of: instance)
            }
            try instances.forgetTheDead(except: live)
        }
    }
}
