import SchedulerCore
import SchedulerStores
import Testing

@testable import SchedulerService

struct BatchRecordsTests {
    @Test("I-08 an owner of an earlier epoch is told so even when its event would change nothing")
    func earlierEpochsAreFenced() async throws {
        let store = MemoryMetadataStore(clock: LeaseClock(period: "test") { 0 })
        try await store.beginLease("x.1", milliseconds: 10)
        let window = try #require(CompletionWindow("24h"))
        var batch = BatchRecord(
            id: "batch_1",
            tenant: "t",
            endpoint: "/v1/chat/completions",
            inputFileID: "file-1",
            completionWindow: window,
            outputFileID: "file-2",
            errorFileID: "file-3",
            createdAt: 0,
            metadata: [:],
            outputLifetimeSeconds: nil
        )
        batch.status = .finalizing
        batch.epoch = 2
        try await store.apply([.insert(try StoredRecord(batch))])
        var records = BatchRecords(store: store, owner: "x.1", epoch: 2)
        let change = try await records.apply(to: "batch_1") { $0.windowEnded(at: 1) }
        #expect(change.outcome == .unchanged)
        records.epoch = 1
        let earlier = records
        await #expect(throws: StoreError.fenced) {
            _ = try await earlier.apply(to: "batch_1") { $0.windowEnded(at: 1) }
        }
    }
}
