import Foundation
import GRDB
import SchedulerCore
import Synchronization
import TestSupport
import Testing
@testable import SchedulerStores

/// What every metadata store must do.
@Suite(.timeLimit(.minutes(2)))
struct MetadataStoreTests {
    enum Kind: CaseIterable {
        case sqlite, memory
    }

    let directory: TemporaryDirectory
    let clock = TestClock()

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func store(_ kind: Kind, maximumAnswers: Int = 100) async throws -> any MetadataStore {
        let (path, clock) = (self.directory.path + "/test.sqlite", self.clock.lease)
        return switch kind {
        case .sqlite: try await SQLiteMetadataStore(path: path, clock: clock, maximumAnswers: maximumAnswers)
        case .memory: MemoryMetadataStore(clock: clock, maximumAnswers: maximumAnswers)
        }
    }

    private func record(_ id: String, tenant: String = "t", label: String = "l", version: Int64 = 0) -> StoredRecord {
        StoredRecord(key: RecordKey(.batch, id), tenant: tenant, label: label, version: version, payload: [1, 2])
    }

    @Test(arguments: Kind.allCases) func anUpdateNeedsTheStoredVersion(kind: Kind) async throws {
        let store = try await self.store(kind)
        try await store.apply([.insert(self.record("a"))])
        try await store.apply([.update(self.record("a", label: "new", version: 1))])
        await #expect(throws: StoreError.conflict) {
            try await store.apply([.update(self.record("a", label: "late", version: 1))])
        }
        let stored = try #require(try await store.get(RecordKey(.batch, "a")))
        #expect(stored.label == "new" && stored.version == 2)
    }

    @Test(arguments: Kind.allCases) func aTransactionHappensWholeOrNotAtAll(kind: Kind) async throws {
        let store = try await self.store(kind)
        try await store.apply([.insert(self.record("a"))])
        await #expect(throws: StoreError.conflict) {
            try await store.apply([.insert(self.record("b")), .insert(self.record("a"))])
        }
        #expect(try await store.get(RecordKey(.batch, "b")) == nil)
        await #expect(throws: StoreError.conflict) { try await store.apply([.delete(RecordKey(.batch, "zz"))]) }
    }

    @Test("A8-01 a bound on records holds within the transaction, by kind, tenant and label", arguments: Kind.allCases)
    func boundOnRecords(kind: Kind) async throws {
        let store = try await self.store(kind)
        let bound = RecordChange.requireFewer(than: 2, of: .batch, tenant: "t", label: "l")
        try await store.apply([bound, .insert(self.record("a"))])
        try await store.apply([.insert(self.record("o", tenant: "other")), .insert(self.record("p", label: "ended"))])
        try await store.apply([bound, .insert(self.record("b"))])
        await #expect(throws: StoreError.conflict) { try await store.apply([bound, .insert(self.record("c"))]) }
        #expect(try await store.get(RecordKey(.batch, "c")) == nil)
        try await store.apply([.update(self.record("a", label: "ended", version: 1))])
        try await store.apply([bound, .insert(self.record("c"))])
        // Changes of the same transaction count.
        await #expect(throws: StoreError.conflict) {
            try await store.apply([.delete(RecordKey(.batch, "c")), .insert(self.record("d")), bound])
        }
    }

    @Test("A6-04 pages are stable while records come and go", arguments: Kind.allCases)
    func pagesAreStable(kind: Kind) async throws {
        let store = try await self.store(kind)
        for id in ["a", "b", "c", "d", "e"] { try await store.apply([.insert(self.record(id))]) }
        try await store.apply([.insert(self.record("bb", tenant: "other"))])
        let first = try await store.list(RecordQuery(kind: .batch, tenant: "t", limit: 2))
        #expect(first.map(\.key.id) == ["e", "d"])
        try await store.apply([.insert(self.record("f")), .delete(RecordKey(.batch, "d"))])
        let second = try await store.list(RecordQuery(kind: .batch, tenant: "t", after: "d", limit: 9))
        #expect(second.map(\.key.id) == ["c", "b", "a"])
        let ascending = try await store.list(
            RecordQuery(kind: .batch, label: "l", after: "b", ascending: true, limit: 2)
        )
        #expect(ascending.map(\.key.id) == ["bb", "c"])
    }

    @Test(arguments: Kind.allCases) func anAnswerIsRememberedWithItsEffectAndForTime(kind: Kind) async throws {
        let store = try await self.store(kind)
        let answer = RememberedAnswer(scope: "t/Create", key: "k", requestHash: [9], answer: "a", createdAt: 100)
        try await store.apply([.insert(self.record("a"))], remembering: answer)
        #expect(try await store.rememberedAnswer(scope: "t/Create", key: "k", notBefore: 100) == answer)
        #expect(try await store.rememberedAnswer(scope: "t/Create", key: "k", notBefore: 101) == nil)
        #expect(try await store.rememberedAnswer(scope: "u/Create", key: "k", notBefore: 0) == nil)
        try await store.forgetAnswers(before: 101)
        #expect(try await store.rememberedAnswer(scope: "t/Create", key: "k", notBefore: 0) == nil)
    }

    @Test("T-31 a second answer under a live key is a conflict, and nothing of it happens", arguments: Kind.allCases)
    func oneAnswerAKey(kind: Kind) async throws {
        let store = try await self.store(kind)
        var answer = RememberedAnswer(scope: "t/Create", key: "k", requestHash: [9], answer: "a", createdAt: 100)
        try await store.apply([.insert(self.record("a"))], remembering: answer)
        answer.answer = "b"
        answer.createdAt = 100 + RememberedAnswer.lifetimeSeconds
        let second = answer
        await #expect(throws: StoreError.conflict) {
            try await store.apply([.insert(self.record("b"))], remembering: second)
        }
        #expect(try await store.get(RecordKey(.batch, "b")) == nil)
        answer.createdAt += 1
        try await store.apply([.insert(self.record("b"))], remembering: answer)
    }

    @Test(
        "I-13 a scope has a bounded number of live answers, and is told when the oldest ends",
        arguments: Kind.allCases
    )
    func boundedAnswers(kind: Kind) async throws {
        let store = try await self.store(kind, maximumAnswers: 3)
        func remember(_ key: String, at time: Int64, scope: String = "t/Create") async throws {
            try await store.apply(
                [.insert(self.record("\(scope)-\(key)-\(time)"))],
                remembering: RememberedAnswer(scope: scope, key: key, requestHash: [], answer: "a", createdAt: time)
            )
        }
        let life = RememberedAnswer.lifetimeSeconds
        for key in 0..<3 { try await remember("\(key)", at: 100 + Int64(key)) }
        await #expect(throws: StoreError.tooManyAnswers(secondsLeft: life - 49)) { try await remember("3", at: 150) }
        #expect(try await store.get(RecordKey(.batch, "t/Create-3-150")) == nil)
        // A key that is used already is told apart, and another scope has room of its own.
        await #expect(throws: StoreError.conflict) { try await remember("1", at: 150) }
        try await remember("3", at: 150, scope: "u/Create")
        // It is as good as its word: a second earlier there is no room yet, then there is, for one.
        await #expect(throws: StoreError.tooManyAnswers(secondsLeft: 1)) { try await remember("3", at: 100 + life) }
        try await remember("3", at: 101 + life)
        await #expect(throws: StoreError.tooManyAnswers(secondsLeft: 1)) { try await remember("4", at: 101 + life) }
        // A key whose answer has ended is used again without room of its own.
        try await remember("1", at: 102 + life)
        try await store.forgetAnswers(before: .max)
        for key in 5..<8 { try await remember("\(key)", at: 103 + life) }
    }

    @Test(arguments: Kind.allCases) func aRequiredRecordMustBeThere(kind: Kind) async throws {
        let store = try await self.store(kind)
        await #expect(throws: StoreError.conflict) {
            try await store.apply([.require(RecordKey(.file, "f")), .insert(self.record("a"))])
        }
        #expect(try await store.get(RecordKey(.batch, "a")) == nil)
    }

    // MARK: - Leases

    @Test("I-08 a write under a lease that has ended is refused", arguments: Kind.allCases)
    func fencedWrites(kind: Kind) async throws {
        let store = try await self.store(kind)
        try await store.beginLease("x.1", milliseconds: 10)
        try await store.apply([.requireLease(owner: "x.1"), .insert(self.record("a"))])
        self.clock.advance(10)
        await #expect(throws: StoreError.fenced) {
            try await store.apply([.requireLease(owner: "x.1"), .insert(self.record("b"))])
        }
        await #expect(throws: StoreError.fenced) { try await store.renewLease("x.1", milliseconds: 10) }
        await #expect(throws: StoreError.fenced) { try await store.claim(["k"], for: "x.1") }
        #expect(try await store.get(RecordKey(.batch, "b")) == nil)
    }

    @Test("T-29 a key has one owner; claims are whole or not at all", arguments: Kind.allCases)
    func oneOwnerAKey(kind: Kind) async throws {
        let store = try await self.store(kind)
        try await store.beginLease("x.1", milliseconds: 10)
        try await store.beginLease("y.1", milliseconds: 30)
        #expect(try await store.claim(["a", "b"], for: "x.1"))
        #expect(try await store.claim(["a"], for: "x.1"))
        #expect(try await store.claim(["c", "b"], for: "y.1") == false)
        let both = Ownership(owners: ["x.1", "y.1"], claims: ["a": "x.1", "b": "x.1"])
        #expect(try await store.ownership() == both)
        try await store.unclaim(["b"], of: "y.1")
        try await store.unclaim(["a"], of: "x.1")
        #expect(try await store.claim(["a"], for: "y.1"))
        // Renewed, the lease lasts; when it ends, what it had is free.
        self.clock.advance(9)
        try await store.renewLease("x.1", milliseconds: 10)
        self.clock.advance(9)
        #expect(try await store.claim(["b"], for: "y.1") == false)
        self.clock.advance(1)
        #expect(try await store.claim(["b"], for: "y.1"))
        let second = Ownership(owners: ["y.1"], claims: ["a": "y.1", "b": "y.1"])
        #expect(try await store.ownership() == second)
        try await store.endLease("y.1")
        let nobody = Ownership(owners: [], claims: [:])
        #expect(try await store.ownership() == nobody)
    }
}

/// What is particular to SQLite.
struct SQLiteMetadataStoreTests {
    let directory: TemporaryDirectory
    let clock = TestClock()
    private var path: String { self.directory.path + "/test.sqlite" }

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    @Test("I-01 SQLite really runs with synchronous=FULL")
    func synchronousIsFull() async throws {
        let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        #expect(try await store.synchronousLevel() == SQLiteMetadataStore.synchronousFull)
    }

    @Test("T-29 two schedulers use one database at the same time")
    func twoConnections() async throws {
        let first = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        let second = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for (name, store) in [("x.1", first), ("y.1", second)] {
                group.addTask {
                    try await store.beginLease(name, milliseconds: 1_000)
                    var won = 0
                    for key in 0..<100 where try await store.claim(["\(key)"], for: name) { won += 1 }
                    return won >= 0
                }
            }
            for try await _ in group {}
        }
        let claims = try await first.ownership().claims
        #expect(claims.count == 100)
        #expect(try await second.ownership().claims == claims)
    }

    @Test("T-27 a lease of before the machine's restart has ended, whatever its clock said")
    func leasesEndWithTheMachine() async throws {
        let before = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        try await before.beginLease("x.1", milliseconds: 1_000)
        #expect(try await before.claim(["a"], for: "x.1"))
        let restarted = LeaseClock(period: "next", milliseconds: { 0 })
        let after = try await SQLiteMetadataStore(path: self.path, clock: restarted)
        let nobody = Ownership(owners: [], claims: [:])
        #expect(try await after.ownership() == nobody)
        await #expect(throws: StoreError.fenced) { try await after.renewLease("x.1", milliseconds: 1_000) }
    }

    @Test("T-02 what a killed process left in the write-ahead log is in the database before anything is read")
    func whatAKilledProcessLeftIsWrittenFirst() async throws {
        let killed = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        let record = StoredRecord(key: RecordKey(.batch, "a"), tenant: "t", label: "l", version: 0, payload: [1])
        try await killed.apply([.insert(record)])
        // The files as they are while the process lives are what a kill leaves.
        let copy = self.path + ".copy"
        try FileManager.default.copyItem(atPath: self.path, toPath: copy)
        try FileManager.default.copyItem(atPath: self.path + "-wal", toPath: copy + "-wal")
        let next = try await SQLiteMetadataStore(path: copy, clock: self.clock.lease)
        let alone = self.path + ".alone"
        try FileManager.default.copyItem(atPath: copy, toPath: alone)
        let withoutLog = try await SQLiteMetadataStore(path: alone, clock: self.clock.lease)
        #expect(try await withoutLog.get(record.key) != nil)
        #expect(try await next.get(record.key) != nil)
    }

    @Test("T-10 a database of version 1 gets its new tables and keeps what it holds; a newer one is refused")
    func versions() async throws {
        do {
            let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
            let record = StoredRecord(key: RecordKey(.batch, "a"), tenant: "t", label: "l", version: 0, payload: [1])
            try await store.apply([.insert(record)])
        }
        try await self.execute(
            """
            DROP TABLE lease; DROP TABLE claim; DROP INDEX remembered_answer_by_time; DROP TABLE remembered_count;
            DROP INDEX remembered_answer_by_age; DROP TRIGGER remembered_answer_added;
            DROP TRIGGER remembered_answer_removed; DROP TRIGGER record_added; DROP TRIGGER record_changed;
            DROP TRIGGER record_removed; DROP TABLE tenant_usage; ALTER TABLE record DROP COLUMN bytes;
            ALTER TABLE record DROP COLUMN requests; ALTER TABLE record DROP COLUMN tokens; PRAGMA user_version = 1
            """
        )
        try await self.execute("INSERT INTO remembered_answer VALUES ('t/Create', 'k', x'00', 'a', 100)")
        do {
            let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
            #expect(try await store.get(RecordKey(.batch, "a"))?.payload == [1])
            try await store.beginLease("x.1", milliseconds: 10)
            // What was remembered before counts.
            let answer = RememberedAnswer(scope: "t/Create", key: "l", requestHash: [], answer: "a", createdAt: 101)
            let full = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease, maximumAnswers: 1)
            await #expect(throws: StoreError.tooManyAnswers(secondsLeft: RememberedAnswer.lifetimeSeconds)) {
                try await full.apply([], remembering: answer)
            }
        }
        try await self.execute("PRAGMA user_version = 99")
        let refusal = StoreError.unreadable(
            "the database has format 99; this version reads up to 4: use a newer one"
        )
        let (path, lease) = (self.path, self.clock.lease)
        await #expect(throws: refusal) { _ = try await SQLiteMetadataStore(path: path, clock: lease) }
    }

    private func execute(_ sql: String) async throws {
        let queue = try DatabaseQueue(path: self.path)
        try await queue.write { try $0.execute(sql: sql) }
        try queue.close()
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

    @Test("T-05 T-06 errors of SQLite are told apart: no room, lost writes, damage, and what may pass")
    func errorsAreToldApart() async throws {
        let reported = Mutex<[StoreError]>([])
        let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease) { error in
            reported.withLock { $0.append(error) }
        }
        func failure(_ code: ResultCode) -> StoreError { store.failure(DatabaseError(resultCode: code)) }
        for code: ResultCode in [.SQLITE_IOERR_FSYNC, .SQLITE_IOERR_DIR_FSYNC] { #expect(failure(code).isFatal) }
        for code: ResultCode in [.SQLITE_CORRUPT, .SQLITE_CORRUPT_INDEX, .SQLITE_NOTADB] {
            guard case .damaged = failure(code) else {
                Issue.record("\(code)")
                continue
            }
        }
        #expect(reported.withLock { $0.count } == 5)
        for code: ResultCode in [.SQLITE_FULL, .SQLITE_IOERR_SHMSIZE] {
            #expect(failure(code) == .full("SQLite: no space left"))
        }
        for code: ResultCode in [.SQLITE_IOERR_READ, .SQLITE_IOERR_WRITE, .SQLITE_BUSY, .SQLITE_READONLY] {
            guard case .unavailable = failure(code) else {
                Issue.record("\(code)")
                continue
            }
        }
        #expect(failure(.SQLITE_CONSTRAINT_PRIMARYKEY) == .conflict)
        #expect(reported.withLock { $0.count } == 5)
    }

    @Test("T-05 a database without room says so, keeps what it has, and goes on when there is room")
    func noRoom() async throws {
        let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        func insert(_ id: String) async throws {
            let key = RecordKey(.batch, id)
            let payload = [UInt8](repeating: 1, count: 40_000)
            try await store.apply([
                .insert(StoredRecord(key: key, tenant: "t", label: "l", version: 0, payload: payload))
            ])
        }
        try await insert("a")
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 1") }
        await #expect(throws: StoreError.full("SQLite: no space left")) { try await insert("b") }
        #expect(try await store.get(RecordKey(.batch, "a")) != nil)
        #expect(try await store.get(RecordKey(.batch, "b")) == nil)
        try await store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 100000") }
        try await insert("b")
    }

    @Test("T-04 a database that is damaged is named as such, when it is opened and when it is read")
    func damage() async throws {
        do {
            let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
            for index in 0..<200 {
                let key = RecordKey(.batch, "batch-\(index)")
                let payload = [UInt8](repeating: 1, count: 1_000)
                try await store.apply([
                    .insert(StoredRecord(key: key, tenant: "t", label: "l", version: 0, payload: payload))
                ])
            }
            _ = try await store.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            try store.pool.close()
        }
        try self.overwrite(from: 3 * 4_096)
        let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        let error = await #expect(throws: StoreError.self) {
            _ = try await store.list(RecordQuery(kind: .batch, limit: 1_000))
        }
        guard case .damaged = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try store.pool.close()
        // The log holds a copy of the first page.
        for suffix in ["-wal", "-shm"] { try LocalFileSystem().remove(self.path + suffix) }
        try self.overwrite(from: 0)
        let (path, lease) = (self.path, self.clock.lease)
        let second = await #expect(throws: StoreError.self) {
            _ = try await SQLiteMetadataStore(path: path, clock: lease)
        }
        guard case .damaged = second else {
            Issue.record("\(String(describing: second))")
            return
        }
    }

    private func overwrite(from offset: Int64) throws {
        let file = try LocalFileSystem().open(self.path, .readWrite)
        let size = try file.size()
        try file.write([UInt8](repeating: 0xA5, count: Int(size - offset)), at: offset)
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
        let store = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        try await store.apply([.insert(try StoredRecord(file))])
        let reopened = try await SQLiteMetadataStore(path: self.path, clock: self.clock.lease)
        #expect(try await reopened.get(FileRecord.self, "file-1")?.object == file)
    }
}

/// A lease clock that a test moves.
final class TestClock: Sendable {
    private let now = Atomic<Int64>(1_000)

    var lease: LeaseClock {
        LeaseClock(period: "test") { self.now.load(ordering: .relaxed) }
    }

    func advance(_ milliseconds: Int64) {
        self.now.add(milliseconds, ordering: .relaxed)
    }
}
