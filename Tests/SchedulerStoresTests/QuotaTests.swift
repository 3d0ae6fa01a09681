import GRDB
import SchedulerCore
import TestSupport
import Testing
@testable import SchedulerStores

/// Quotas that a transaction is held to, over all that a tenant has.
@Suite(.timeLimit(.minutes(1)))
struct QuotaTests {
    enum Kind: CaseIterable {
        case sqlite, memory
    }

    static let now: Int64 = 1_800_000_000_000
    let directory: TemporaryDirectory
    let clock = LeaseClock(period: "test", milliseconds: { 1 })
    private var path: String { self.directory.path + "/test.sqlite" }

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func store(_ kind: Kind) async throws -> any MetadataStore {
        switch kind {
        case .sqlite: try await SQLiteMetadataStore(path: self.path, clock: self.clock)
        case .memory: MemoryMetadataStore(clock: self.clock)
        }
    }

    private func file(_ id: String, bytes: Int64, tenant: String = "t") throws -> StoredRecord {
        try StoredRecord(
            FileRecord(
                id: id,
                tenant: tenant,
                bytes: bytes,
                createdAt: 1,
                expiresAt: nil,
                filename: "a",
                purpose: .batch
            )
        )
    }

    private func batch(
        _ id: String,
        requests: Int = 0,
        tenant: String = "t",
        status: BatchStatus = .validating,
        version: Int64 = 0
    ) throws -> StoredRecord {
        var batch = BatchRecord(
            id: id,
            tenant: tenant,
            endpoint: "/v1/chat/completions",
            inputFileID: "file-1",
            completionWindow: try #require(CompletionWindow("24h")),
            outputFileID: "file-2",
            errorFileID: "file-3",
            createdAt: 1,
            metadata: [:],
            outputLifetimeSeconds: nil
        )
        batch.status = status
        batch.enqueued = EnqueuedWork(lines: requests, bytes: Int64(4 * requests))
        return try StoredRecord(batch, version: version)
    }

    private func require(_ tenant: String = "t", _ change: (inout TenantQuota) -> Void) -> RecordChange {
        var quota = TenantQuota()
        change(&quota)
        return .requireQuota(quota, tenant: tenant, unixMilliseconds: Self.now)
    }

    @Test(arguments: Kind.allCases) func bytesAreThoseOfAllFilesOfTheTenant(kind: Kind) async throws {
        let store = try await self.store(kind)
        let quota = self.require { $0.storedBytes = 10 }
        try await store.apply([.insert(try self.file("a", bytes: 6)), quota])
        try await store.apply([.insert(try self.file("other", bytes: 100, tenant: "u"))])
        let tooLarge = try self.file("b", bytes: 5)
        await #expect(throws: StoreError.overQuota(.storedBytes(limit: 10))) {
            try await store.apply([.insert(tooLarge), quota])
        }
        #expect(try await store.get(RecordKey(.file, "b")) == nil)
        try await store.apply([.insert(try self.file("c", bytes: 4)), quota])
        // Whatever deletes a file makes room.
        try await store.apply([.delete(RecordKey(.file, "a"))])
        try await store.apply([.insert(tooLarge), quota])
    }

    @Test("A2-09 requests count until their batch has ended", arguments: Kind.allCases)
    func enqueued(kind: Kind) async throws {
        let store = try await self.store(kind)
        let quota = self.require {
            $0.enqueuedRequests = 10
            $0.enqueuedTokens = 10
        }
        try await store.apply([.insert(try self.batch("a", requests: 10)), quota])
        let second = try self.batch("b", requests: 1)
        await #expect(throws: StoreError.overQuota(.enqueuedRequests(limit: 10))) {
            try await store.apply([.insert(second), quota])
        }
        try await store.apply([.update(try self.batch("a", requests: 10, status: .inProgress, version: 1))])
        await #expect(throws: StoreError.self) { try await store.apply([.insert(second), quota]) }
        try await store.apply([.update(try self.batch("a", requests: 10, status: .completed, version: 2))])
        try await store.apply([.insert(second), quota])
        try await store.apply([.delete(RecordKey(.batch, "a"))])
        try await store.apply([.insert(try self.batch("c", requests: 9)), quota])
        let last = try self.batch("d", requests: 1)
        await #expect(throws: StoreError.self) { try await store.apply([.insert(last), quota]) }
    }

    @Test("A2-09 batches are counted for an hour", arguments: Kind.allCases)
    func batchesPerHour(kind: Kind) async throws {
        let store = try await self.store(kind)
        let quota = self.require { $0.batchesPerHour = 2 }
        let ages: [Int64] = [3_600_001, 3_599_000, 10]
        for (index, age) in ages.enumerated() {
            let time = Self.now - age
            let id = ObjectID.make(.batch, unixMilliseconds: time, sequence: UInt16(index), random: 1)
            try await store.apply([.insert(try self.batch(id)), quota])
        }
        let other = ObjectID.make(.batch, unixMilliseconds: Self.now, sequence: 7, random: 1)
        try await store.apply([.insert(try self.batch(other, tenant: "u")), quota])
        let next = try self.batch(ObjectID.make(.batch, unixMilliseconds: Self.now, sequence: 9, random: 1))
        await #expect(throws: StoreError.overQuota(.batchesPerHour(limit: 2, milliseconds: 1_000))) {
            try await store.apply([.insert(next), quota])
        }
    }

    @Test func manyAtOnceDoNotGoBeyondIt() async throws {
        let (first, second) = (try await self.store(.sqlite), try await self.store(.sqlite))
        let quota = self.require { $0.storedBytes = 10 }
        let taken = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<40 {
                group.addTask {
                    let store = index % 2 == 0 ? first : second
                    let change = try? self.file("f\(index)", bytes: 1)
                    return (try? await store.apply([change.map { .insert($0) }, quota].compactMap(\.self))) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken == 10)
    }

    @Test func theFilesOfAnEarlierVersionAreCounted() async throws {
        let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock)
        try await store.apply([.insert(try self.file("a", bytes: 7)), .insert(try self.batch("b", requests: 3))])
        try await store.pool.write { database in
            try database.execute(
                sql: """
                    DROP TRIGGER record_added; DROP TRIGGER record_changed; DROP TRIGGER record_removed;
                    DROP TABLE tenant_usage; ALTER TABLE record DROP COLUMN bytes; ALTER TABLE record DROP COLUMN requests;
                    ALTER TABLE record DROP COLUMN tokens;
                    INSERT INTO record VALUES ('file', 'damaged', 't', 'batch', 1, x'FF00');
                    PRAGMA user_version = 3
                    """
            )
        }
        let migrated = try await SQLiteMetadataStore(path: self.path, clock: self.clock)
        let quota = self.require { $0.storedBytes = 10 }
        try await migrated.apply([.insert(try self.file("c", bytes: 3)), quota])
        let more = try self.file("d", bytes: 1)
        await #expect(throws: StoreError.overQuota(.storedBytes(limit: 10))) {
            try await migrated.apply([.insert(more), quota])
        }
        try await migrated.apply([.delete(RecordKey(.file, "damaged"))])
        try await migrated.apply([.delete(RecordKey(.file, "a"))])
        try await migrated.apply([.insert(more), quota])
    }
}
