import InMemoryLogging
import Logging
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores
import Synchronization
import Testing

@testable import SchedulerService

/// A batch is deleted while somebody else is about to change it, run it or make it again.
@Suite(.timeLimit(.minutes(1)))
struct DeletedBatchTests {
    @Test("T-30 a change of a batch that is deleted meanwhile is a NOT_FOUND", arguments: Change.allCases)
    func changed(_ change: Change) async throws {
        let scheduler = try await TestScheduler()
        let batch = try TestScheduler.batch(.inProgress)
        try await scheduler.store.apply([.insert(try StoredRecord(batch))])
        // The change was decided on the record that is there, and cannot be stored any more.
        scheduler.store.deletesBeforeApply.withLock { $0 = RecordKey(.batch, batch.id) }
        let error = await #expect(throws: RPCError.self) { try await change.call(batch.id, at: scheduler) }
        #expect(error?.code == .notFound)
        let info = try ErrorInfo(serialized: #require(error?.details.first).value)
        #expect(info.reason == "batch_not_found" && info.param == "batch_id")
    }

    @Test("I-08 T-09 an owner whose batch was ended and deleted by others leaves it, and alarms nobody")
    func ownedElsewhere() async throws {
        let handler = InMemoryLogHandler()
        let scheduler = try await TestScheduler(logger: Logger(label: "test") { _ in handler })
        let batch = try TestScheduler.batch(.validating)
        // What it has seen before others ended and deleted it: the list has the batch, its key has none.
        scheduler.store.staleRecord.withLock { $0 = try? StoredRecord(batch, version: 1) }
        let services = scheduler.node.services
        let running = Task { try await SchedulerNode.runTogether(services) }
        while !scheduler.store.unclaimed.withLock({ $0.contains { $0.hasSuffix(batch.id) } }) {
            try await Task.sleep(for: .milliseconds(5))
        }
        running.cancel()
        _ = await running.result
        let entries = handler.entries
        #expect(entries.contains { $0.message == "the batch was deleted" })
        #expect(entries.filter { $0.metadata["batch"] != nil && $0.level >= .warning } == [])
    }

    @Test("A2-10 a create that is repeated after its batch was deleted says so, and makes none")
    func repeatedCreate() async throws {
        let scheduler = try await TestScheduler()
        let file = try await scheduler.storeFile()
        let request = CreateBatchRequest(
            inputFileID: file.id,
            endpoint: "/v1/chat/completions",
            completionWindow: "24h"
        )
        let context = RPCContext(metadata: RPCMetadata([("idempotency-key", "key")]))
        let router = scheduler.node.router
        let created = try await router.call(BatchesService.createBatch, request, context: context)
        let id = try #require(created.batch?.id)
        try await scheduler.store.apply([.delete(RecordKey(.batch, id))])
        let error = await #expect(throws: RPCError.self) {
            try await router.call(BatchesService.createBatch, request, context: context)
        }
        #expect(error?.code == .notFound && error?.message.contains(id) == true)
        let info = try ErrorInfo(serialized: #require(error?.details.first).value)
        #expect(info.reason == "batch_not_found" && info.param == "Idempotency-Key")
        #expect(try await scheduler.store.list(RecordQuery(kind: .batch, limit: 9)).isEmpty)
    }

    enum Change: CaseIterable {
        case cancel
        case pause

        func call(_ id: String, at scheduler: TestScheduler) async throws {
            let router = scheduler.node.router
            let context = RPCContext()
            switch self {
            case .cancel: _ = try await router.call(BatchesService.cancelBatch, .init(batchID: id), context: context)
            case .pause: _ = try await router.call(BatchesService.pauseBatch, .init(batchID: id), context: context)
            }
        }
    }
}
