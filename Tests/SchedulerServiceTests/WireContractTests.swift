import Checksum
import InMemoryLogging
import Logging
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores
import Testing

@testable import SchedulerService

/// What every caller of a scheduler may rely on, whatever it calls: keys of metadata, sizes of chunks.
@Suite(.timeLimit(.minutes(1)))
struct WireContractTests {
    @Test("G6-07 metadata says whose a new batch is, which request made it, and under which idempotency key")
    func metadata() async throws {
        let handler = InMemoryLogHandler()
        let scheduler = try await TestScheduler(logger: Logger(label: "test") { _ in handler })
        let request = CreateBatchRequest(
            endpoint: "/v1/embeddings",
            completionWindow: "24h",
            inlineInput: ByteBuffer(
                string: #"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}"#
                    + "\n"
            )
        )
        func create(_ tenant: String, _ key: String) async throws -> BatchRecord {
            let metadata = [
                ("tenant", tenant), ("project", "p"), ("request-id", "request-of-\(tenant)"), ("idempotency-key", key),
            ]
            let created = try await scheduler.call(BatchesService.createBatch, request, metadata: metadata)
            let id = try #require(created.batch?.id)
            return try #require(try await scheduler.store.get(BatchRecord.self, id)?.object)
        }
        try await scheduler.running {
            let first = try await create("one", "key")
            #expect(first.tenant == "one" && first.project == "p")
            #expect(try await create("one", "key").id == first.id)
            #expect(try await create("one", "other").id != first.id)
            // A key is its tenant's own.
            let second = try await create("two", "key")
            #expect(second.id != first.id && second.tenant == "two")
            let told = handler.entries.first {
                $0.message == "a batch was created" && $0.metadata["batch"] == "\(second.id)"
            }
            #expect(told?.metadata["request_id"] == "request-of-two")
        }
    }

    @Test("G6-08 a chunk of a file is 256 KiB at most, so that others do not wait long behind it")
    func chunks() async throws {
        let most = 256 << 10
        let scheduler = try await TestScheduler()
        try await scheduler.running {
            let upload = try await scheduler.call(FilesService.beginUpload, .init(purpose: "user_data"))
            #expect(upload.maximumChunkBytes == most)
            let tooLarge = Self.chunk(most + 1, at: 0, of: upload)
            let error = await #expect(throws: RPCError.self) {
                try await scheduler.call(FilesService.writeChunk, tooLarge)
            }
            #expect(error?.code == .invalidArgument)
            _ = try await scheduler.call(FilesService.writeChunk, Self.chunk(most, at: 0, of: upload))
            _ = try await scheduler.call(FilesService.writeChunk, Self.chunk(1, at: most, of: upload))
            let complete = CompleteUploadRequest(
                uploadID: upload.uploadID,
                filename: "a.bin",
                purpose: "user_data",
                bytes: UInt64(most + 1)
            )
            let file = try #require(try await scheduler.call(FilesService.completeUpload, complete).file)
            let read = ReadFileRequest(fileID: file.id, maximumBytes: UInt32(2 * most))
            #expect(try await scheduler.call(FilesService.readFile, read).data.readableBytes == most)
        }
    }

    private static func chunk(_ count: Int, at offset: Int, of upload: BeginUploadResponse) -> WriteChunkRequest {
        let bytes = [UInt8](repeating: 7, count: count)
        return WriteChunkRequest(
            uploadID: upload.uploadID,
            offset: UInt64(offset),
            data: ByteBuffer(bytes: bytes),
            crc32c: bytes.withUnsafeBytes { CRC32C.checksum($0) }
        )
    }
}
