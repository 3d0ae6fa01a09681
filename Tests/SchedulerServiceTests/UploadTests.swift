import Checksum
import Foundation
import NIOCore
import NIOPosix
import SchedulerCore
import SchedulerStores
import StoresTestSupport
import TestSupport
import Testing
@testable import SchedulerService

/// Chunks over one connection run in tasks of their own, so that they reach the upload in any order.
@Suite(.timeLimit(.minutes(2)))
struct UploadTests {
    private static let threads = NIOThreadPool.singleton

    @Test func chunksInAnyOrderBecomeTheFile() async throws {
        try await Self.withUpload { upload, blobs in
            let chunks = (0..<10_000).map { index in
                (offset: UInt64(index * 8), bytes: ByteBuffer(string: "\(10_000_000 + index)"))
            }
            var next = 0
            // A window of four, as gateways send them; a lost wake-up would stop it for ever.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for chunk in chunks {
                    if next >= 4 { try await group.next() }
                    next += 1
                    group.addTask { _ = try await upload.write(chunk.bytes, at: chunk.offset) }
                }
                try await group.waitForAll()
            }
            _ = try await upload.complete(80_000)
            let content = try blobs.open("file-1").read(count: 80_000, at: 0)
            #expect(content == chunks.flatMap { Array($0.bytes.readableBytesView) })
        }
    }

    @Test func aChunkThatCameAlreadyIsAcknowledgedAgain() async throws {
        try await Self.withUpload { upload, _ in
            let chunk = ByteBuffer(string: "abcd")
            var staged: [UInt64] = []
            for offset: UInt64 in [0, 0, 4, 0] {
                staged.append(try await upload.write(chunk, at: offset))
            }
            #expect(staged == [4, 4, 8, 8])
        }
    }

    @Test func aChunkThatOverlapsIsRefused() async throws {
        try await Self.withUpload { upload, _ in
            _ = try await upload.write(ByteBuffer(string: "abcd"), at: 0)
            await #expect(throws: (any Error).self) { try await upload.write(ByteBuffer(string: "cdef"), at: 2) }
        }
    }

    @Test func aDamagedChunkIsRefusedAndMayBeSentAgain() async throws {
        try await Self.withUpload { upload, _ in
            let chunk = ByteBuffer(string: "abcd")
            await #expect(throws: (any Error).self) { try await upload.write(chunk, at: 0, crc: 1, now: 0) }
            let staged = try await upload.write(chunk, at: 0)
            #expect(staged == 4)
        }
    }

    @Test func anAbortEndsTheChunksThatWait() async throws {
        try await Self.withUpload { upload, _ in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: (any Error).self) {
                        try await upload.write(ByteBuffer(string: "abcd"), at: 4)
                    }
                }
                group.addTask {
                    await #expect(throws: Never.self) { try await upload.abort() }
                }
            }
            await #expect(throws: (any Error).self) { try await upload.write(ByteBuffer(string: "abcd"), at: 0) }
        }
    }

    @Test func aSizeThatDidNotComeIsRefused() async throws {
        try await Self.withUpload { upload, _ in
            _ = try await upload.write(ByteBuffer(string: "abcd"), at: 0)
            await #expect(throws: (any Error).self) {
                try await upload.complete(3)
            }
        }
    }

    @Test("T-20 T-33 an upload that is completed again, one after another or at once, is the same file")
    func completedTwice() async throws {
        try await Self.withUpload { upload, blobs in
            _ = try await upload.write(ByteBuffer(string: "abcd"), at: 0)
            let first = try await upload.complete(4)
            let second = try await upload.complete(4)
            #expect(first == second)
        }
        try await Self.withUpload { upload, _ in
            _ = try await upload.write(ByteBuffer(string: "abcd"), at: 0)
            async let first = upload.complete(4)
            async let second = upload.complete(4)
            let files = try await [first, second]
            #expect(files[0] == files[1])
        }
    }

    @Test("T-05 a disk that is full at any write of an upload costs nothing but another try")
    func fullAtEachWrite() async throws {
        let lines = (0..<300).map { number in
            #"{"custom_id":"\#(number % 290)","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"a"}}"#
        }
        let content = Array(lines.joined(separator: "\n").utf8)
        for failing in 1... {
            let call = FailingCall(failing, .write, code: ENOSPC)
            try await Self.withUpload(on: call.files, purpose: .batch) { upload, blobs in
                for start in stride(from: 0, to: content.count, by: 10_000) {
                    let chunk = ByteBuffer(bytes: content[start..<min(start + 10_000, content.count)])
                    try await Self.again { _ = try await upload.write(chunk, at: UInt64(start)) }
                }
                let findings = try await Self.again { try await upload.findings(content.count) }
                #expect(findings?.lines == 300)
                #expect(findings?.problems.count == 10)
                #expect(try blobs.open("file-1").read(count: content.count + 1, at: 0) == content)
                let plan = try blobs.open("file-1.plan")
                #expect(plan.bytes == Int64(PlanHeader.encodedBytes + 300 * PlanEntry.encodedBytes))
            }
            guard call.hasFailed else { break }
        }
    }

    @Test func anUploadOfACallerWhoHasLeftLeavesNothing() async throws {
        let directory = try TemporaryDirectory()
        try await Self.withUpload(in: directory.path, purpose: .batch) { upload, _ in
            _ = try await upload.write(ByteBuffer(string: "abcd"), at: 0)
            #expect(try Self.staged(in: directory.path) > 0)
            let leaving = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await upload.abort()
            }
            try await leaving.value
            #expect(try Self.staged(in: directory.path) == 0)
        }
    }

    /// Files that are not in place yet.
    private static func staged(in directory: String) throws -> Int {
        let names = try FileManager.default.subpathsOfDirectory(atPath: directory + "/staging")
        return names.count { $0.contains("/") }
    }

    /// Tries twice.
    private static func again<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch is FileError {
            return try await body()
        }
    }

    private static func withUpload(
        in given: String? = nil,
        on files: any FileSystem = LocalFileSystem(),
        purpose: FilePurpose = .userData,
        _ body: @Sendable (Upload, any BlobStore) async throws -> Void
    ) async throws {
        let temporary = try TemporaryDirectory()
        defer { withExtendedLifetime(temporary) {} }
        let directory = given ?? temporary.path
        let blobs = try LocalBlobStore(directory: directory, instance: "a", files: files)
        let writer = try UploadWriter(id: "upload_1", mayBeBatchInput: purpose == .batch, blobs: blobs)
        let upload = Upload(
            id: "upload_1",
            tenant: "default",
            target: .file(purpose),
            targetID: "file-1",
            writer: writer,
            threads: Self.threads,
            now: 0
        )
        try await body(upload, blobs)
    }
}

extension Upload {
    /// Completes it as a file with a record that nobody stores.
    fileprivate func complete(_ bytes: UInt64) async throws -> FileRecord {
        try await self.file(bytes, .userData)
    }

    /// Completes it as a batch input with a record that nobody stores, and gives what was found in it.
    fileprivate func findings(_ bytes: Int) async throws -> InputFileFindings? {
        try await self.file(UInt64(bytes), .batch).input
    }

    private func file(_ bytes: UInt64, _ purpose: FilePurpose) async throws -> FileRecord {
        let completed = try await self.complete(bytes: bytes, purpose: purpose, now: 0) { findings in
            .file(
                FileRecord(
                    id: self.targetID,
                    tenant: "default",
                    bytes: Int64(bytes),
                    createdAt: 0,
                    expiresAt: nil,
                    filename: "f",
                    purpose: purpose,
                    input: findings
                )
            )
        }
        guard case .file(let file) = completed else { throw CancellationError() }
        return file
    }

    /// Writes a chunk with the right checksum.
    fileprivate func write(_ data: ByteBuffer, at offset: UInt64) async throws -> UInt64 {
        try await self.write(data, at: offset, crc: data.withUnsafeReadableBytes { CRC32C.checksum($0) }, now: 0)
    }
}
