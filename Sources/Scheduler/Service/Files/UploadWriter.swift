import SchedulerCore
import SchedulerStores

/// The bytes of one upload on their way to disk, with the file-level pass over them as they come. Blocking.
final class UploadWriter: @unchecked Sendable {
    // Guard: `Upload`, an actor, lets one call at a time into it.

    private let id: String
    private let staged: any StagedBlob
    private let blobs: any BlobStore
    private let plan: SideFile
    /// The `custom_id`s, until they are compared.
    private let ids: SideFile
    private var indexer: InputFileIndexer?
    /// What the pass has found and a failure kept from being looked at or written.
    private var suspect: InputFileIndexer.Suspect?
    private var isPassFinished = false
    private var areIDsChecked = false
    private var isPlanCommitted = false
    private(set) var stagedBytes: Int64 = 0

    /// - Parameter mayBeBatchInput: false when the purpose is known and another.
    init(id: String, mayBeBatchInput: Bool, blobs: any BlobStore) throws(FileError) {
        self.id = id
        self.blobs = blobs
        self.staged = try blobs.stage(id)
        self.plan = SideFile(name: id + ".plan", blobs: blobs)
        self.ids = SideFile(name: id + ".ids", blobs: blobs)
        self.indexer = mayBeBatchInput ? InputFileIndexer() : nil
    }

    /// Adds the next bytes. After a failure `stagedBytes` tells whether they were taken; what they still need is done by
    /// the next call.
    func append(_ bytes: UnsafeRawBufferPointer) throws {
        try self.writeSideFiles()
        try self.staged.write(bytes, at: self.stagedBytes)
        self.stagedBytes += Int64(bytes.count)
        self.indexer?.consume(bytes)
        try self.writeSideFiles()
    }

    /// Makes the bytes a file, with its plan when it is a batch input, and says what the pass found. After a failure,
    /// such as a full disk, it may be called again for the same file.
    func complete(as fileID: String, isBatchInput: Bool) throws -> InputFileFindings? {
        guard isBatchInput, self.indexer != nil else {
            try self.plan.abort()
            try self.ids.abort()
            try self.staged.commit(as: fileID)
            return nil
        }
        if !self.isPassFinished { self.indexer?.finish() }
        self.isPassFinished = true
        try self.writeSideFiles()
        if !self.areIDsChecked { self.indexer?.check(try self.ids.table()) }
        self.areIDsChecked = true
        try self.resolveSuspects()
        try self.ids.abort()
        if !self.isPlanCommitted { try self.plan.commit(as: FileBytes.planKey(fileID)) }
        self.isPlanCommitted = true
        try self.staged.commit(as: fileID)
        return self.indexer?.findings
    }

    /// Makes the bytes so far durable.
    func sync() throws {
        try self.staged.sync()
    }

    func abort() throws {
        try self.staged.abort()
        try self.plan.abort()
        try self.ids.abort()
    }

    /// A custom_id with the hash of an earlier one: the two lines say whether it is the same.
    private func resolveSuspects() throws {
        while let suspect = self.suspect ?? self.indexer?.nextSuspect() {
            self.suspect = suspect
            let earlier = try self.line(suspect.earlier)
            let later = try self.line(suspect.later)
            earlier.withUnsafeBytes { earlier in
                later.withUnsafeBytes { self.indexer?.resolve(suspect, earlierLine: earlier, laterLine: $0) }
            }
            self.suspect = nil
        }
    }

    private func line(_ request: Int) throws -> [UInt8] {
        let offset = Int64(PlanHeader.encodedBytes + request * PlanEntry.encodedBytes)
        let entry = try self.plan.read(count: PlanEntry.encodedBytes, at: offset).withUnsafeBytes { try PlanEntry($0) }
        return try self.staged.read(count: Int(entry.length), at: Int64(entry.offset))
    }

    private func writeSideFiles() throws {
        try self.plan.write(self.indexer?.takePlanBytes() ?? [])
        try self.ids.write(self.indexer?.takeIDBytes() ?? [])
    }
}
