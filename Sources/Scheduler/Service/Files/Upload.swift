import Checksum
import NIOCore
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// One file, or one part of a file, on its way up: applies its chunks in offset order, whatever order they arrive in.
///
/// A chunk that is ahead waits for the one before it; a chunk that was applied already is acknowledged again, so that a
/// lost reply costs nothing.
actor Upload {
    /// Chunks that may wait for an earlier one.
    private static let maximumWaiting = 64

    nonisolated let id: String
    nonisolated let tenant: String
    nonisolated let target: Target

    /// The id of what it becomes: the same however often it is completed.
    nonisolated let targetID: String

    private var writer: UploadWriter?
    private var completed: Completed?
    private let threads: any BlockingThreads
    private var applied: UInt64 = 0
    private var isBusy = false
    private var isClosed = false
    private let waiters = Waiters()
    private(set) var lastUse: Int64

    /// What the bytes become.
    enum Target: Sendable {
        /// A file; its purpose may be told at the end only.
        case file(FilePurpose?)
        /// A part of an upload.
        case part(uploadID: String)

        /// Most bytes.
        var maximumBytes: Int64 {
            switch self {
            case .file(let purpose): (purpose ?? .userData).maximumBytes
            case .part: UploadPartRecord.maximumBytes
            }
        }

        var tooLarge: RPCError {
            switch self {
            case .file: RPCErrors.fileTooLarge(limit: self.maximumBytes)
            case .part: RPCErrors.partTooLarge
            }
        }
    }

    /// The record of what the bytes became.
    enum Completed: Sendable, Equatable {
        case file(FileRecord)
        case part(UploadPartRecord)
    }

    init(
        id: String,
        tenant: String,
        target: Target,
        targetID: String,
        writer: UploadWriter,
        threads: any BlockingThreads,
        now: Int64
    ) {
        self.id = id
        self.tenant = tenant
        self.target = target
        self.targetID = targetID
        self.writer = writer
        self.threads = threads
        self.lastUse = now
    }

    /// Applies a chunk and gives the bytes staged.
    func write(_ data: ByteBuffer, at offset: UInt64, crc: UInt32, now: Int64) async throws -> UInt64 {
        self.lastUse = now
        let (end, overflow) = offset.addingReportingOverflow(UInt64(data.readableBytes))
        guard !overflow, end <= UInt64(self.target.maximumBytes) else { throw self.target.tooLarge }
        guard data.withUnsafeReadableBytes(CRC32C.checksum) == crc else {
            throw RPCErrors.make(
                .invalidArgument,
                "the chunk's checksum does not fit: send it again",
                reason: "checksum_mismatch"
            )
        }
        try await self.turn(for: offset)
        guard offset == self.applied else {
            guard end <= self.applied else {
                throw RPCErrors.make(.outOfRange, "the chunk overlaps what is staged: go on at \(self.applied)")
            }
            return self.applied
        }
        self.isBusy = true
        defer {
            self.isBusy = false
            self.waiters.wakeAll()
        }
        guard let writer = self.writer else { throw Self.closed }
        // A failure behind the bytes' own write, such as a full disk at the plan's, has taken them all the same.
        defer { self.applied = UInt64(writer.stagedBytes) }
        try await self.threads.run { try data.withUnsafeReadableBytes(writer.append) }
        return end
    }

    /// Makes the staged bytes a file or a part. A repeated call, after a lost reply, gives the same one.
    /// - Parameters:
    ///   - purpose: the file's; nil for a part.
    ///   - store: makes the record durable.
    func complete(
        bytes: UInt64,
        purpose: FilePurpose?,
        now: Int64,
        store: @Sendable (InputFileFindings?) async throws -> Completed
    ) async throws -> Completed {
        self.lastUse = now
        if self.completed == nil { try await self.turn(for: bytes) }
        if let completed = self.completed { return completed }
        guard self.applied == bytes else {
            throw RPCErrors.make(
                .invalidArgument,
                "\(bytes) bytes were announced, \(self.applied) came",
                reason: "size_mismatch"
            )
        }
        if let purpose, Int64(clamping: bytes) > purpose.maximumBytes {
            throw RPCErrors.fileTooLarge(limit: purpose.maximumBytes)
        }
        guard let writer = self.writer else { throw Self.closed }
        self.isBusy = true
        defer {
            self.isBusy = false
            self.waiters.wakeAll()
        }
        let targetID = self.targetID
        let findings: InputFileFindings?
        do {
            findings = try await self.threads.run {
                try writer.complete(as: targetID, isBatchInput: purpose == .batch)
            }
        } catch let error as FileError where error.hasLostWrites {
            // A second sync would succeed without the bytes that the first one lost (T-06).
            self.isClosed = true
            self.writer = nil
            throw error
        }
        // The bytes are where they belong: nothing may be added to them.
        self.isClosed = true
        self.writer = nil
        let record = try await store(findings)
        self.completed = record
        return record
    }

    private static let closed = RPCErrors.make(.failedPrecondition, "the upload is closed", reason: "upload_closed")

    /// Throws the bytes away; chunks that wait fail. That is done also when the task was cancelled: a caller who has left
    /// must leave nothing behind.
    func abort() async throws {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.waiters.wakeAll()
        while true {
            let generation = self.waiters.generation
            guard self.isBusy else { break }
            await self.waiters.waitToTheEnd(since: generation)
        }
        guard let writer = self.writer else { return }
        self.writer = nil
        try await self.threads.runToTheEnd { try writer.abort() }
    }

    /// Returns when everything before `offset` is applied and nobody is writing.
    private func turn(for offset: UInt64) async throws {
        while true {
            let generation = self.waiters.generation
            guard !self.isClosed, self.isBusy || offset > self.applied else { break }
            guard self.waiters.count < Self.maximumWaiting else {
                throw RPCErrors.make(.resourceExhausted, "too many chunks are waiting for the one at \(self.applied)")
            }
            try Task.checkCancellation()
            await self.waiters.wait(since: generation)
        }
        guard !self.isClosed || self.completed != nil else { throw Self.closed }
    }
}
