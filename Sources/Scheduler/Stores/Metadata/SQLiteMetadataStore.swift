import FailPoints
import Foundation
import GRDB
import SchedulerCore

/// Records in one SQLite file: no service to start.
///
/// WAL with `synchronous=FULL`: every commit is on disk when `apply` returns. GRDB resets `synchronous` to NORMAL while
/// it opens a pool, so it is set afterwards and read back.
public final class SQLiteMetadataStore: MetadataStore {
    /// The version of the tables that this code reads and writes (`PRAGMA user_version`).
    public static let formatVersion = 4
    /// SQLite's number for `synchronous=FULL`.
    static let synchronousFull = 2

    let pool: DatabasePool
    let clock: LeaseClock
    private let maximumAnswers: Int
    private let onFailure: @Sendable (StoreError) -> Void

    /// Opens or makes the database.
    /// - Parameters:
    ///   - maximumAnswers: most live answers remembered for one scope.
    ///   - onFailure: called with failures that concern more than the call that hit them: damage, and lost writes.
    public init(
        path: String,
        clock: LeaseClock,
        maximumAnswers: Int = RememberedAnswer.maximumLive,
        onFailure: @escaping @Sendable (StoreError) -> Void = { _ in }
    ) async throws(StoreError) {
        self.clock = clock
        self.maximumAnswers = maximumAnswers
        self.onFailure = onFailure
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.maximumReaderCount = 4
            self.pool = try DatabasePool(path: path, configuration: configuration)
            try await self.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try await self.pool.writeWithoutTransaction(Self.syncLeftovers)
            try await self.pool.write(Self.prepareTables)
        } catch {
            throw Self.storeError(error)
        }
        guard try await self.synchronousLevel() == Self.synchronousFull else {
            throw .unavailable("SQLite did not take synchronous=FULL")
        }
    }

    /// What a killed process wrote and did not sync is on disk before anybody is told of it.
    private static func syncLeftovers(_ database: Database) throws {
        do {
            _ = try database.checkpoint(.passive)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            // Another scheduler is at it.
        }
    }

    /// `PRAGMA synchronous` of the connection that writes.
    func synchronousLevel() async throws(StoreError) -> Int? {
        do {
            return try await self.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        } catch {
            throw self.failure(error)
        }
    }

    /// The record, or nil.
    public func get(_ key: RecordKey) async throws(StoreError) -> StoredRecord? {
        do {
            return try await self.pool.read { database in
                try Row.fetchOne(
                    database,
                    sql: "SELECT * FROM record WHERE kind = ? AND id = ?",
                    arguments: [key.kind.rawValue, key.id]
                ).flatMap(StoredRecord.init)
            }
        } catch {
            throw self.failure(error)
        }
    }

    /// Records of one kind, in the order of their ids.
    public func list(_ query: RecordQuery) async throws(StoreError) -> [StoredRecord] {
        var conditions = ["kind = ?"]
        var arguments: StatementArguments = [query.kind.rawValue]
        for (column, value) in [("tenant = ?", query.tenant), ("label = ?", query.label)] {
            guard let value else { continue }
            conditions.append(column)
            arguments += [value]
        }
        if let after = query.after {
            conditions.append(query.ascending ? "id > ?" : "id < ?")
            arguments += [after]
        }
        arguments += [query.limit]
        let sql = """
            SELECT * FROM record WHERE \(conditions.joined(separator: " AND "))
            ORDER BY id \(query.ascending ? "ASC" : "DESC") LIMIT ?
            """
        do {
            return try await self.pool.read { [arguments] database in
                try Row.fetchAll(database, sql: sql, arguments: arguments).compactMap(StoredRecord.init)
            }
        } catch {
            throw self.failure(error)
        }
    }

    /// Applies all changes or none; on disk when it returns.
    public func apply(_ changes: [RecordChange], remembering answer: RememberedAnswer?) async throws(StoreError) {
        try await self.write { database in
            for change in changes {
                try self.apply(change, database)
            }
            if let answer {
                try self.remember(answer, database)
            }
        }
    }

    /// The answer remembered for an idempotency key, unless it is too old.
    public func rememberedAnswer(
        scope: String,
        key: String,
        notBefore: Int64
    ) async throws(StoreError) -> RememberedAnswer? {
        do {
            return try await self.pool.read { database in
                try Row.fetchOne(
                    database,
                    sql: "SELECT * FROM remembered_answer WHERE scope = ? AND key = ? AND created_at >= ?",
                    arguments: [scope, key, notBefore]
                ).map { row in
                    RememberedAnswer(
                        scope: row["scope"],
                        key: row["key"],
                        requestHash: [UInt8](row["request_hash"] as Data),
                        answer: row["answer"],
                        createdAt: row["created_at"]
                    )
                }
            }
        } catch {
            throw self.failure(error)
        }
    }

    /// Forgets answers remembered before `time`.
    public func forgetAnswers(before time: Int64) async throws(StoreError) {
        try await self.write { database in
            try database.execute(sql: "DELETE FROM remembered_answer WHERE created_at < ?", arguments: [time])
        }
    }

    /// Runs a transaction.
    func write<Result: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Result
    ) async throws(StoreError) -> Result {
        do {
            FailPoint.reach("metadata.before_commit")
            defer { FailPoint.reach("metadata.after_commit") }
            return try await self.pool.write(body)
        } catch {
            throw self.failure(error)
        }
    }
}

extension SQLiteMetadataStore {
    private static func prepareTables(_ database: Database) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard version <= self.formatVersion else {
            throw StoreError.unreadable(
                "the database has format \(version); this version reads up to \(self.formatVersion): use a newer one"
            )
        }
        guard version < self.formatVersion else { return }
        if version < 1 { try database.execute(sql: self.tablesOfVersion1) }
        if version < 2 { try database.execute(sql: self.tablesOfVersion2) }
        if version < 3 { try database.execute(sql: self.tablesOfVersion3) }
        // Also, a program of version 3 would take the bytes of parts for nobody's and remove them.
        if version < 4 { try database.execute(sql: self.tablesOfVersion4) }
        try database.execute(sql: "PRAGMA user_version = \(self.formatVersion)")
    }

    private static let tablesOfVersion1 = """
        CREATE TABLE record (
            kind TEXT NOT NULL, id TEXT NOT NULL, tenant TEXT NOT NULL, label TEXT NOT NULL,
            version INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (kind, id)
        ) WITHOUT ROWID;
        CREATE INDEX record_by_tenant ON record (kind, tenant, id);
        CREATE INDEX record_by_label ON record (kind, label, id);
        CREATE TABLE remembered_answer (
            scope TEXT NOT NULL, key TEXT NOT NULL, request_hash BLOB NOT NULL, answer TEXT NOT NULL,
            created_at INTEGER NOT NULL, PRIMARY KEY (scope, key)
        ) WITHOUT ROWID;
        """

    /// Times are milliseconds of the lease clock within its period.
    private static let tablesOfVersion2 = """
        CREATE TABLE lease (
            owner TEXT NOT NULL PRIMARY KEY, period TEXT NOT NULL, ends_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE claim (
            key TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX claim_by_owner ON claim (owner);
        CREATE INDEX remembered_answer_by_time ON remembered_answer (created_at);
        """

    /// How many answers are remembered for each scope, kept by triggers: counting them at each create would cost more the
    /// more there are.
    private static let tablesOfVersion3 = """
        CREATE TABLE remembered_count (
            scope TEXT NOT NULL PRIMARY KEY, answers INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO remembered_count SELECT scope, COUNT(*) FROM remembered_answer GROUP BY scope;
        CREATE INDEX remembered_answer_by_age ON remembered_answer (scope, created_at);
        CREATE TRIGGER remembered_answer_added AFTER INSERT ON remembered_answer BEGIN
            INSERT INTO remembered_count VALUES (NEW.scope, 1)
            ON CONFLICT (scope) DO UPDATE SET answers = answers + 1;
        END;
        CREATE TRIGGER remembered_answer_removed AFTER DELETE ON remembered_answer BEGIN
            UPDATE remembered_count SET answers = answers - 1 WHERE scope = OLD.scope;
            DELETE FROM remembered_count WHERE scope = OLD.scope AND answers <= 0;
        END;
        """

    private func apply(_ change: RecordChange, _ database: Database) throws {
        switch change {
        case .insert(let record):
            try database.execute(
                sql: """
                    INSERT INTO record (kind, id, tenant, label, version, payload, bytes, requests, tokens)
                    VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?)
                    """,
                arguments: [
                    record.key.kind.rawValue, record.key.id, record.tenant, record.label, Data(record.payload),
                    record.weight.bytes, record.weight.requests, record.weight.tokens,
                ]
            )
        case .update(let record):
            try database.execute(
                sql: """
                    UPDATE record SET label = ?, version = version + 1, payload = ?, bytes = ?, requests = ?, tokens = ?
                    WHERE kind = ? AND id = ? AND version = ?
                    """,
                arguments: [
                    record.label, Data(record.payload), record.weight.bytes, record.weight.requests,
                    record.weight.tokens, record.key.kind.rawValue, record.key.id, record.version,
                ]
            )
        case .delete(let key):
            try database.execute(
                sql: "DELETE FROM record WHERE kind = ? AND id = ?",
                arguments: [key.kind.rawValue, key.id]
            )
        case .require(let key):
            let found = try Row.fetchOne(
                database,
                sql: "SELECT 1 FROM record WHERE kind = ? AND id = ?",
                arguments: [key.kind.rawValue, key.id]
            )
            guard found != nil else { throw StoreError.conflict }
            return
        case .requireLease(let owner):
            try self.requireLease(of: owner, database)
            return
        case .requireQuota(let quota, let tenant, let now):
            try self.require(quota, tenant: tenant, now: now, database)
            return
        case .requireFewer(let most, let kind, let tenant, let label):
            let found = try Int.fetchOne(
                database,
                sql: "SELECT COUNT(*) FROM record WHERE kind = ? AND label = ? AND tenant = ?",
                arguments: [kind.rawValue, label, tenant]
            )
            guard found ?? 0 < most else { throw StoreError.conflict }
            return
        }
        guard database.changesCount == 1 else { throw StoreError.conflict }
    }

    private func remember(_ answer: RememberedAnswer, _ database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO remembered_answer (scope, key, request_hash, answer, created_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (scope, key) DO UPDATE SET
                    request_hash = excluded.request_hash, answer = excluded.answer, created_at = excluded.created_at
                WHERE created_at < excluded.created_at - ?
                """,
            arguments: [
                answer.scope, answer.key, Data(answer.requestHash), answer.answer, answer.createdAt,
                RememberedAnswer.lifetimeSeconds,
            ]
        )
        // Another call with this key came first (T-31).
        guard database.changesCount == 1 else { throw StoreError.conflict }
        guard try Self.answers(of: answer.scope, database) > self.maximumAnswers else { return }
        // The sweep may not have come yet.
        let oldest = answer.createdAt - RememberedAnswer.lifetimeSeconds
        try database.execute(
            sql: "DELETE FROM remembered_answer WHERE scope = ? AND created_at < ?",
            arguments: [answer.scope, oldest]
        )
        guard try Self.answers(of: answer.scope, database) > self.maximumAnswers else { return }
        let first = try Int64.fetchOne(
            database,
            sql: "SELECT MIN(created_at) FROM remembered_answer WHERE scope = ?",
            arguments: [answer.scope]
        )
        throw StoreError.tooManyAnswers(secondsLeft: (first ?? oldest) - oldest + 1)
    }

    private static func answers(of scope: String, _ database: Database) throws -> Int {
        try Int.fetchOne(
            database,
            sql: "SELECT answers FROM remembered_count WHERE scope = ?",
            arguments: [scope]
        ) ?? 0
    }

    /// The error of a call; tells what concerns more than this call.
    func failure(_ error: any Error) -> StoreError {
        let error = Self.storeError(error)
        switch error {
        case .damaged, .broken: self.onFailure(error)
        case .conflict, .fenced, .gone, .unreadable, .tooManyAnswers, .overQuota, .full, .unavailable: break
        }
        return error
    }

    static func storeError(_ error: any Error) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else { return .unavailable("SQLite: \(error)") }
        switch error.extendedResultCode {
        // Linux may have dropped what the sync was about, and reports it once.
        case .SQLITE_IOERR_FSYNC, .SQLITE_IOERR_DIR_FSYNC: return .broken("SQLite: \(error)")
        // The file of the shared memory could not grow.
        case .SQLITE_IOERR_SHMSIZE: return .full("SQLite: no space left")
        default: break
        }
        switch error.resultCode {
        case .SQLITE_CONSTRAINT: return .conflict
        case .SQLITE_FULL: return .full("SQLite: no space left")
        case .SQLITE_CORRUPT: return .damaged("the database is damaged: \(error)")
        case .SQLITE_NOTADB: return .damaged("the database is damaged or not one of SQLite: \(error)")
        default: return .unavailable("SQLite: \(error)")
        }
    }
}

extension StoredRecord {
    fileprivate init?(_ row: Row) {
        guard let kind = RecordKind(rawValue: row["kind"]) else { return nil }
        self.init(
            key: RecordKey(kind, row["id"]),
            tenant: row["tenant"],
            label: row["label"],
            version: row["version"],
            payload: [UInt8](row["payload"] as Data)
        )
        self.weight = RecordWeight(bytes: row["bytes"], requests: row["requests"], tokens: row["tokens"])
    }
}
