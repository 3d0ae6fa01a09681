import SchedulerCore
import Testing

@testable import SchedulerStores

/// What every metadata store must do; SQLite is the only one so far.
struct MetadataStoreTests {
    let directory: TemporaryDirectory
    let store: SQLiteMetadataStore

    init() async throws {
        self.directory = try TemporaryDirectory()
        self.store = try await SQLiteMetadataStore(path: self.directory.path + "/test.sqlite")
    }

    private func record(_ id: String, tenant: String = "t", label: String = "l", version: Int64 = 0) -> StoredRecord {
        StoredRecord(key: RecordKey(.batch, id), tenant: tenant, label: label, version: version, payload: [1, 2])
    }

    @Test("I-01 SQLite really runs with synchronous=FULL")
    func synchronousIsFull() async throws {
        #expect(try await self.store.synchronousLevel() == SQLiteMetadataStore.synchronousFull)
    }

    @Test func anUpdateNeedsTheStoredVersion() async throws {
        try await self.store.apply([.insert(self.record("a"))])
        try await self.store.apply([.update(self.record("a", label: "new", version: 1))])
        await #expect(throws: StoreError.conflict) {
            try await self.store.apply([.update(self.record("a", label: "late", version: 1))])
        }
        let stored = try #require(try await self.store.get(RecordKey(.batch, "a")))
        #expect(stored.label == "new" && stored.version == 2)
    }

    @Test func aTransactionHappensWholeOrNotAtAll() async throws {
        try await self.store.apply([.insert(self.record("a"))])
        await #expect(throws: StoreError.conflict) {
            try await self.store.apply([.insert(self.record("b")), .insert(self.record("a"))])
        }
        #expect(try await self.store.get(RecordKey(.batch, "b")) == nil)
        await #expect(throws: StoreError.conflict) { try await self.store.apply([.delete(RecordKey(.batch, "zz"))]) }
    }

    @Test("A6-04 pages are stable while records come and go")
    func pagesAreStable() async throws {
        for id in ["a", "b", "c", "d", "e"] { try await self.store.apply([.insert(self.record(id))]) }
        try await self.store.apply([.insert(self.record("bb", tenant: "other"))])
        let first = try await self.store.list(RecordQuery(kind: .batch, tenant: "t", limit: 2))
        #expect(first.map(\.key.id) == ["e", "d"])
        try await self.store.apply([.insert(self.record("f")), .delete(RecordKey(.batch, "d"))])
        let second = try await self.store.list(RecordQuery(kind: .batch, tenant: "t", after: "d", limit: 9))
        #expect(second.map(\.key.id) == ["c", "b", "a"])
        let ascending = try await self.store.list(
            RecordQuery(kind: .batch, label: "l", after: "b", ascending: true, limit: 2)
        )
        #expect(ascending.map(\.key.id) == ["bb", "c"])
    }

    @Test func anAnswerIsRememberedWithItsEffectAndForTime() async throws {
        let answer = RememberedAnswer(scope: "t/Create", key: "k", requestHash: [9], answer: "a", createdAt: 100)
        try await self.store.apply([.insert(self.record("a"))], remembering: answer)
        #expect(try await self.store.rememberedAnswer(scope: "t/Create", key: "k", notBefore: 100) == answer)
        #expect(try await self.store.rememberedAnswer(scope: "t/Create", key: "k", notBefore: 101) == nil)
        #expect(try await self.store.rememberedAnswer(scope: "u/Create", key: "k", notBefore: 0) == nil)
    }

    @Test("T-10 records and databases of a newer format are refused")
    func newerFormatsAreRefused() async throws {
        let newer = StoredRecord(
            key: RecordKey(.file, "file-1"),
            tenant: "t",
            label: "l",
            version: 1,
            payload: Array(#"{"format":99,"object":{}}"#.utf8)
        )
        #expect(throws: StoreError.unreadable("file-1 has record format 99; this version reads 1")) {
            _ = try newer.decoded(FileRecord.self)
        }
    }

    @Test func everythingIsThereAfterReopening() async throws {
        let file = FileRecord(
            id: "file-1",
            tenant: "t",
            bytes: 3,
            createdAt: 1,
            expiresAt: nil,
            filename: "ü",
            purpose: .batch,
            input: InputFileFindings(lines: 1, models: ["m"], urls: ["u"], problems: [], problemsOmitted: 0)
        )
        try await self.store.apply([.insert(try StoredRecord(file))])
        let reopened = try await SQLiteMetadataStore(path: self.directory.path + "/test.sqlite")
        #expect(try await reopened.get(FileRecord.self, "file-1")?.object == file)
    }
}
