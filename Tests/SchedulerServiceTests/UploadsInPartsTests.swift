import Checksum
import Foundation
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores
import StoresTestSupport
import Synchronization
import TestSupport
import Testing
@testable import SchedulerService

/// Uploads in parts at the scheduler (A8): what is durable when, and what is left when something fails.
@Suite(.timeLimit(.minutes(2)))
struct UploadsInPartsTests {
    @Test("A8-02 I-01 a part is answered only once its bytes are synced and its record is stored")
    func partsAreDurable() async throws {
        let synced = Mutex<[String]>([])
        let observed = ObservedFileSystem { operation, path in
            if operation != .write { synced.withLock { $0.append("\(operation.rawValue) \(path)") } }
        }
        try await Self.running(files: observed) { scheduler in
            let upload = try await scheduler.begin(4)
            let part = try await scheduler.part("abcd", of: upload)
            let syncs = synced.withLock { $0 }
            let bytes = syncs.lastIndex { $0.hasPrefix("fdatasync") && $0.hasSuffix("/" + part) }
            let name = syncs.lastIndex { $0.hasPrefix("fsync") && $0.hasSuffix("/\(part.suffix(2))/\(part)") }
            #expect(try #require(bytes) < #require(name))
            #expect(try await scheduler.store.get(UploadPartRecord.self, part)?.object.bytes == 4)
        }
    }

    @Test("A8-04 a part that comes after the end is refused, and its bytes do not stay")
    func partAfterTheEnd() async throws {
        try await Self.running { scheduler in
            let upload = try await scheduler.begin(4)
            let late = try await scheduler.stagedPart("abcd", of: upload)
            _ = try await scheduler.call(UploadsService.cancelUpload, CancelUploadRequest(uploadID: upload))
            let error = await scheduler.failure(
                UploadsService.completePart,
                CompletePartRequest(partID: late, bytes: 4)
            )
            #expect(error?.code == .failedPrecondition)
            try await scheduler.awaitNoBlob(late)
            #expect(try await scheduler.store.get(UploadPartRecord.self, late) == nil)
        }
    }

    @Test("A8-02 a part has as many bytes as were sent, and is completed again without harm")
    func lengths() async throws {
        try await Self.running { scheduler in
            let upload = try await scheduler.begin(4)
            let part = try await scheduler.stagedPart("abcd", of: upload)
            for bytes: UInt64 in [3, 0] {
                let request = CompletePartRequest(partID: part, bytes: bytes)
                #expect(await scheduler.failure(UploadsService.completePart, request)?.code == .invalidArgument)
            }
            let request = CompletePartRequest(partID: part, bytes: 4)
            let first = try await scheduler.call(UploadsService.completePart, request)
            let second = try await scheduler.call(UploadsService.completePart, request)
            #expect(first == second)
            #expect(try await scheduler.store.get(UploadRecord.self, upload)?.object.parts == 1)
        }
    }

    @Test("A8-02 what is no part is not completed as one, and a part not as a file")
    func targets() async throws {
        try await Self.running { scheduler in
            let upload = try await scheduler.begin(4)
            let part = try await scheduler.stagedPart("abcd", of: upload)
            let asFile = CompleteUploadRequest(uploadID: part, filename: "f", purpose: "user_data", bytes: 4)
            #expect(await scheduler.failure(FilesService.completeUpload, asFile)?.code == .notFound)
            let file = try await scheduler.call(FilesService.beginUpload, BeginUploadRequest(purpose: "user_data"))
            let asPart = CompletePartRequest(partID: file.uploadID, bytes: 1)
            #expect(await scheduler.failure(UploadsService.completePart, asPart)?.code == .notFound)
        }
    }

    @Test("A8-03 T-05 a disk that is full while parts are composed leaves the upload pending and nothing behind")
    func fullDisk() async throws {
        for failing in 1... {
            // Writes until the one that fails; nil: none does.
            let left = Mutex<Int?>(nil)
            let files = ObservedFileSystem { operation, path throws(FileError) in
                guard operation == .write else { return }
                let isDue = left.withLock { left in
                    left = left.map { $0 - 1 }
                    return left == 0
                }
                if isDue { throw FileError("write", path: path, code: ENOSPC) }
            }
            let failed = try await Self.running(files: files) { scheduler in
                let upload = try await scheduler.begin(8)
                let parts = [
                    try await scheduler.part("abcd", of: upload), try await scheduler.part("efgh", of: upload),
                ]
                left.withLock { $0 = failing }
                let request = ComposeUploadRequest(uploadID: upload, partIds: parts)
                if let error = await scheduler.failure(UploadsService.composeUpload, request) {
                    #expect(error.code == .unavailable)
                    #expect(try await scheduler.store.get(UploadRecord.self, upload)?.object.status == .pending)
                    #expect(try scheduler.staged() == [])
                }
                let done = try await scheduler.call(UploadsService.composeUpload, request)
                let file = try #require(done.upload?.file?.id)
                let read = ReadFileRequest(fileID: file, offset: 0, maximumBytes: 9)
                let content = try await scheduler.call(FilesService.readFile, read)
                #expect(String(buffer: content.data) == "abcdefgh")
                return left.withLock { $0.map { $0 <= 0 } ?? false }
            }
            guard failed else { break }
        }
    }

    @Test("A8-03 T-04 a part that is damaged on disk is not composed")
    func damagedPart() async throws {
        try await Self.running { scheduler in
            let upload = try await scheduler.begin(4)
            let part = try await scheduler.part("abcd", of: upload)
            try scheduler.place("blobs/\(part.suffix(2))/\(part)", Data("abXd".utf8))
            let request = ComposeUploadRequest(uploadID: upload, partIds: [part])
            #expect(await scheduler.failure(UploadsService.composeUpload, request)?.code == .dataLoss)
            #expect(try await scheduler.store.get(UploadRecord.self, upload)?.object.status == .pending)
            #expect(try scheduler.staged() == [])
        }
    }

    @Test("A8-03 a caller that stops waiting does not stop the completion")
    func completionGoesOn() async throws {
        try await Self.running { scheduler in
            let upload = try await scheduler.begin(4)
            let part = try await scheduler.part("abcd", of: upload)
            let request = ComposeUploadRequest(uploadID: upload, partIds: [part])
            let caller = Task { try await scheduler.call(UploadsService.composeUpload, request) }
            caller.cancel()
            _ = await caller.result
            while try await scheduler.store.get(UploadRecord.self, upload)?.object.status != .completed {
                guard await scheduler.failure(UploadsService.composeUpload, request) == nil else { break }
            }
            let record = try #require(try await scheduler.store.get(UploadRecord.self, upload)?.object)
            #expect(record.status == .completed)
            #expect(try await scheduler.store.list(RecordQuery(kind: .file, limit: 9)).map(\.key.id) == [record.fileID])
        }
    }

    /// Runs a scheduler's services around `body`.
    private static func running<Result: Sendable>(
        files: any FileSystem = LocalFileSystem(),
        _ body: (TestScheduler) async throws -> Result
    ) async throws -> Result {
        let scheduler = try await TestScheduler(files: files)
        return try await scheduler.running { try await body(scheduler) }
    }
}

extension TestScheduler {
    fileprivate func failure<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request
    ) async -> RPCError? {
        do {
            _ = try await self.call(method, request)
            return nil
        } catch {
            return error as? RPCError
        }
    }

    fileprivate func begin(_ bytes: UInt64) async throws -> String {
        let request = CreateUploadRequest(filename: "f", purpose: "user_data", bytes: bytes, mimeType: "text/plain")
        return try #require(try await self.call(UploadsService.createUpload, request).upload?.id)
    }

    /// Sends a part's bytes and does not complete it.
    fileprivate func stagedPart(_ content: String, of upload: String) async throws -> String {
        let part = try await self.call(UploadsService.beginPart, BeginPartRequest(uploadID: upload)).partID
        let data = ByteBuffer(string: content)
        let crc = data.withUnsafeReadableBytes { CRC32C.checksum($0) }
        let chunk = WriteChunkRequest(uploadID: part, offset: 0, data: data, crc32c: crc)
        _ = try await self.call(FilesService.writeChunk, chunk)
        return part
    }

    fileprivate func part(_ content: String, of upload: String) async throws -> String {
        let part = try await self.stagedPart(content, of: upload)
        let request = CompletePartRequest(partID: part, bytes: UInt64(content.utf8.count))
        _ = try await self.call(UploadsService.completePart, request)
        return part
    }

    fileprivate func staged() throws -> [String] {
        let directory = self.directory.path + "/staging"
        return try FileManager.default.contentsOfDirectory(atPath: directory).flatMap {
            try FileManager.default.contentsOfDirectory(atPath: directory + "/" + $0)
        }
    }

    fileprivate func awaitNoBlob(_ key: String) async throws {
        let path = "\(self.directory.path)/blobs/\(key.suffix(2))/\(key)"
        while FileManager.default.fileExists(atPath: path) { try await Task.sleep(for: .milliseconds(5)) }
    }
}
