import Foundation
import Logging
import NIOPosix
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores
import Synchronization
import TestSupport
import Testing
@testable import SchedulerService

/// What the sweeper may not take away.
@Suite(.timeLimit(.minutes(1)))
struct SweepingTests {
    @Test("I-12 bytes that have no record yet outlive a sweep: an upload may be about to store it")
    func bytesThatHaveNoRecordYetOutliveASweep() async throws {
        let scheduler = try await TestScheduler()
        let blob = try scheduler.place("blobs/ab/file-000000000000000000000000000000ab")
        // A sweep looks at job files after it has looked at bytes; the second one is an hour later.
        let swept = try scheduler.place("jobs/batch_00000000000000000000000000000001/1.log")
        let services = scheduler.node.services
        let running = Task { try await SchedulerNode.runTogether(services) }
        while FileManager.default.fileExists(atPath: swept) { try await Task.sleep(for: .milliseconds(5)) }
        running.cancel()
        _ = await running.result
        #expect(FileManager.default.fileExists(atPath: blob))
    }

    @Test("A7-12 an expired file is not found, not listed and not read, and a sweep removes its bytes")
    func anExpiredFileIsGone() async throws {
        let scheduler = try await TestScheduler()
        let file = try await scheduler.storeFile(purpose: .userData, expiresAt: 2)
        let blob = try scheduler.place("blobs/\(file.id.suffix(2))/\(file.id)")
        let router = scheduler.node.router
        func code(_ call: () async throws -> Void) async -> RPCStatus.Code? {
            do {
                try await call()
                return nil
            } catch {
                return (error as? RPCError)?.code
            }
        }
        let context = RPCContext()
        #expect(
            await code { _ = try await router.call(FilesService.getFile, .init(fileID: file.id), context: context) }
                == .notFound
        )
        let read = ReadFileRequest(fileID: file.id, maximumBytes: 1)
        #expect(await code { _ = try await router.call(FilesService.readFile, read, context: context) } == .notFound)
        let list = try await router.call(FilesService.listFiles, ListFilesRequest(limit: 9), context: context)
        #expect(list.files.isEmpty && !list.hasMore)
        let services = scheduler.node.services
        let running = Task { try await SchedulerNode.runTogether(services) }
        while FileManager.default.fileExists(atPath: blob) { try await Task.sleep(for: .milliseconds(5)) }
        running.cancel()
        _ = await running.result
        #expect(try await scheduler.store.get(RecordKey(.file, file.id)) == nil)
    }

    @Test("I-12 T-32 a file that is deleted while a batch is made of it makes none")
    func aFileThatIsDeletedWhileABatchIsMadeOfItMakesNone() async throws {
        let scheduler = try await TestScheduler()
        let file = try await scheduler.storeFile()
        scheduler.store.deletesBeforeApply.withLock { $0 = RecordKey(.file, file.id) }
        let request = CreateBatchRequest(
            inputFileID: file.id,
            endpoint: "/v1/chat/completions",
            completionWindow: "24h"
        )
        await #expect(throws: RPCError.self) {
            _ = try await scheduler.node.router.call(BatchesService.createBatch, request, context: RPCContext())
        }
        #expect(try await scheduler.store.list(RecordQuery(kind: .batch, limit: 9)).isEmpty)
    }

    @Test("A7-10 T-32 an input that is deleted before its batch is validated is validated all the same")
    func anInputDeletedBeforeItsValidationIsStillRead() async throws {
        let scheduler = try await TestScheduler()
        let file = try await scheduler.storeFile(
            input: InputFileFindings(
                lines: 1,
                models: [],
                urls: [],
                problems: [InputProblem(code: "invalid_json_line", message: "not JSON", line: 1)],
                problemsOmitted: 0
            )
        )
        let router = scheduler.node.router
        let create = CreateBatchRequest(
            inputFileID: file.id,
            endpoint: "/v1/chat/completions",
            completionWindow: "24h"
        )
        let created = try await router.call(BatchesService.createBatch, create, context: RPCContext())
        let id = try #require(created.batch?.id)
        _ = try await router.call(FilesService.deleteFile, DeleteFileRequest(fileID: file.id), context: RPCContext())
        let services = scheduler.node.services
        let running = Task { try await SchedulerNode.runTogether(services) }
        var batch = created.batch
        while batch?.status != .failed {
            try await Task.sleep(for: .milliseconds(5))
            batch = try await router.call(BatchesService.getBatch, GetBatchRequest(batchID: id), context: RPCContext())
                .batch
        }
        running.cancel()
        _ = await running.result
        #expect(batch?.errors.map(\.code) == ["invalid_json_line"])
    }
}
