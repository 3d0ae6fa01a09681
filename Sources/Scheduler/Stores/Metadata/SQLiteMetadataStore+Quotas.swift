import GRDB
import SchedulerCore

extension SQLiteMetadataStore {
    /// What each record weighs, and the sums of each tenant, kept by triggers: summing at each change would cost more the
    /// more there is, and no change can forget to count. Records of earlier versions weigh what their file holds; batches
    /// that have not ended then are not counted.
    static let tablesOfVersion4 = """
        ALTER TABLE record ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE record ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE record ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
        UPDATE record SET bytes = COALESCE(json_extract(CAST(payload AS TEXT), '$.object.bytes'), 0)
            WHERE kind = 'file' AND json_valid(CAST(payload AS TEXT));
        CREATE TABLE tenant_usage (
            tenant TEXT NOT NULL PRIMARY KEY, bytes INTEGER NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO tenant_usage SELECT tenant, SUM(bytes), 0, 0 FROM record GROUP BY tenant;
        CREATE TRIGGER record_added AFTER INSERT ON record
            WHEN NEW.bytes <> 0 OR NEW.requests <> 0 OR NEW.tokens <> 0 BEGIN
            INSERT INTO tenant_usage VALUES (NEW.tenant, NEW.bytes, NEW.requests, NEW.tokens)
            ON CONFLICT (tenant) DO UPDATE SET bytes = bytes + excluded.bytes,
                requests = requests + excluded.requests, tokens = tokens + excluded.tokens;
        END;
        CREATE TRIGGER record_changed AFTER UPDATE ON record
            WHEN NEW.bytes <> OLD.bytes OR NEW.requests <> OLD.requests OR NEW.tokens <> OLD.tokens BEGIN
            INSERT INTO tenant_usage VALUES (NEW.tenant, NEW.bytes - OLD.bytes, NEW.requests - OLD.requests,
                NEW.tokens - OLD.tokens)
            ON CONFLICT (tenant) DO UPDATE SET bytes = bytes + excluded.bytes,
                requests = requests + excluded.requests, tokens = tokens + excluded.tokens;
        END;
        CREATE TRIGGER record_removed AFTER DELETE ON record
            WHEN OLD.bytes <> 0 OR OLD.requests <> 0 OR OLD.tokens <> 0 BEGIN
            UPDATE tenant_usage SET bytes = bytes - OLD.bytes, requests = requests - OLD.requests,
                tokens = tokens - OLD.tokens WHERE tenant = OLD.tenant;
        END;
        """

    /// Throws when the tenant has more than its quota with what this transaction has stored.
    func require(_ quota: TenantQuota, tenant: String, now: Int64, _ database: Database) throws {
        var usage = TenantUsage()
        if let row = try Row.fetchOne(
            database,
            sql: "SELECT bytes, requests, tokens FROM tenant_usage WHERE tenant = ?",
            arguments: [tenant]
        ) {
            usage.weight = RecordWeight(bytes: row["bytes"], requests: row["requests"], tokens: row["tokens"])
        }
        if let limit = quota.batchesPerHour {
            let recent = try String.fetchAll(
                database,
                sql: "SELECT id FROM record WHERE kind = 'batch' AND tenant = ? AND id > ? ORDER BY id LIMIT ?",
                arguments: [tenant, TenantQuota.firstRecentBatch(now: now), limit + 1]
            )
            usage.recentBatches = recent.count
            usage.oldestRecentBatch = recent.first.flatMap(ObjectID.unixMilliseconds)
        }
        if let excess = quota.excess(of: usage, now: now) { throw StoreError.overQuota(excess) }
    }
}

extension TenantQuota {
    /// Ids of batches that are created within the hour before `now` are above it.
    static func firstRecentBatch(now: Int64) -> String {
        ObjectID.make(.batch, unixMilliseconds: max(0, now - Self.windowMilliseconds), sequence: 0, random: 0)
    }
}
