import Checksum
import NIOCore
import SchedulerCore
import SchedulerStores

/// The bytes of one upload on their way to disk, with the file-level pass over them as they come. Blocking.
final class UploadWriter: @unchecked Sendable {
    // Guard: `Upload`, an actor, lets one call at a time into it.

    private let id: String
    private let staged: any StagedBlob
    private let blobs: any BlobStore
    private var plan: (any StagedBlob)?
    private var planBytes: Int64 = 0
    private var indexer: InputFileIndexer?
    /// What the pass has found and a failure kept from being looked at or written.
    private var suspect: InputFileIndexer.Suspect?
    private var unwrittenPlan: [UInt8] = []
    private var isPassFinished = false
    private var isPlanCommitted = false
    private(set) var stagedBytes: Int64 = 0

    /// - Parameter mayBeBatchInput: false when the purpose is known and another.
    init(id: String, mayBeBatchInput: Bool, blobs: any BlobStore) throws(FileError) {
        self.id = id
        self.blobs = blobs
        self.staged = try blobs.stage(id)
        self.indexer = mayBeBatchInput ? InputFileIndexer() : nil
    }

    /// Adds the next bytes. After a failure `stagedBytes` tells whether they were taken; what they still need is done by
    /// the next call.
    func append(_ bytes: ByteBuffer) throws {
        try self.resolveSuspects()
        try self.writePlan()
        try bytes.withUnsafeReadableBytes { bytes in
            try self.staged.write(bytes, at: self.stagedBytes)
            self.stagedBytes += Int64(bytes.count)
            self.indexer?.consume(bytes)
        }
        try self.resolveSuspects()
        try self.writePlan()
    }

    /// Makes the bytes a file, with its plan when it is a batch input, and says what the pass found. After a failure,
    /// such as a full disk, it may be called again for the same file.
    func complete(as fileID: String, isBatchInput: Bool) throws -> InputFileFindings? {
        guard isBatchInput, self.indexer != nil else {
            try self.plan?.abort()
            try self.staged.commit(as: fileID)
            return nil
        }
        if !self.isPassFinished { self.indexer?.finish() }
        self.isPassFinished = true
        try self.resolveSuspects()
        try self.writePlan()
        if !self.isPlanCommitted { try self.plan?.commit(as: FileBytes.planKey(fileID)) }
        self.isPlanCommitted = true
        try self.staged.commit(as: fileID)
        return self.indexer?.findings
    }

    func abort() throws {
        try self.staged.abort()
        try self.plan?.abort()
    }

    /// A custom_id with the hash of an earlier one: the earlier line says whether it is the same.
    private func resolveSuspects() throws {
        while let suspect = self.suspect ?? self.indexer?.nextSuspect() {
            self.suspect = suspect
            let line = try self.staged.read(count: Int(suspect.earlier.length), at: Int64(suspect.earlier.offset))
            line.withUnsafeBytes { self.indexer?.resolve(suspect, earlierLine: $0) }
            self.suspect = nil
        }
    }

    private func writePlan() throws {
        self.unwrittenPlan += self.indexer?.takePlanBytes() ?? []
        guard !self.unwrittenPlan.isEmpty else { return }
        let plan = try self.plan ?? self.blobs.stage(self.id + ".plan")
        self.plan = plan
        try self.unwrittenPlan.withUnsafeBytes { try plan.write($0, at: self.planBytes) }
        self.planBytes += Int64(self.unwrittenPlan.count)
        self.unwrittenPlan = []
    }
}
