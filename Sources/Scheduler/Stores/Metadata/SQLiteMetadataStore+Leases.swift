import GRDB
public import SchedulerCore

extension SQLiteMetadataStore {
    /// Begins an owner's lease.
    public func beginLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try await self.write { database in
            try database.execute(
                sql: "INSERT INTO lease (owner, period, ends_at) VALUES (?, ?, ?)",
                arguments: [owner, self.clock.period, self.clock.milliseconds() + milliseconds]
            )
            try self.forgetEndedLeases(database)
        }
    }

    /// Extends a lease from now on.
    public func renewLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try await self.write { database in
            try self.requireLease(of: owner, database)
            try database.execute(
                sql: "UPDATE lease SET ends_at = ? WHERE owner = ?",
                arguments: [self.clock.milliseconds() + milliseconds, owner]
            )
        }
    }

    /// Ends a lease; its claims are free.
    public func endLease(_ owner: String) async throws(StoreError) {
        try await self.write { database in
            try database.execute(sql: "UPDATE lease SET ends_at = 0 WHERE owner = ?", arguments: [owner])
            try self.forgetEndedLeases(database)
        }
    }

    /// Claims all keys or none.
    public func claim(_ keys: [String], for owner: String) async throws(StoreError) -> Bool {
        try await self.write { database in
            try self.requireLease(of: owner, database)
            for key in keys {
                let other = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT 1 FROM claim JOIN lease USING (owner)
                        WHERE key = ? AND owner != ? AND period = ? AND ends_at > ?
                        """,
                    arguments: [key, owner, self.clock.period, self.clock.milliseconds()]
                )
                guard other == nil else { return false }
            }
            for key in keys {
                try database.execute(
                    sql: """
                        INSERT INTO claim (key, owner) VALUES (?, ?)
                        ON CONFLICT (key) DO UPDATE SET owner = excluded.owner
                        """,
                    arguments: [key, owner]
                )
            }
            return true
        }
    }

    /// Gives claims back.
    public func unclaim(_ keys: [String], of owner: String) async throws(StoreError) {
        try await self.write { database in
            for key in keys {
                try database.execute(sql: "DELETE FROM claim WHERE key = ? AND owner = ?", arguments: [key, owner])
            }
        }
    }

    /// Live leases and what is claimed under them.
    public func ownership() async throws(StoreError) -> Ownership {
        do {
            return try await self.pool.read { database in
                let now = self.clock.milliseconds()
                let live = "period = ? AND ends_at > ?"
                let arguments: StatementArguments = [self.clock.period, now]
                let owners = try String.fetchSet(
                    database,
                    sql: "SELECT owner FROM lease WHERE \(live)",
                    arguments: arguments
                )
                let claims = try Row.fetchAll(
                    database,
                    sql: "SELECT key, owner FROM claim JOIN lease USING (owner) WHERE \(live)",
                    arguments: arguments
                )
                return Ownership(
                    owners: owners,
                    claims: Dictionary(claims.map { ($0["key"], $0["owner"]) }, uniquingKeysWith: { first, _ in first })
                )
            }
        } catch {
            throw self.failure(error)
        }
    }

    /// Throws unless the owner's lease is live.
    func requireLease(of owner: String, _ database: Database) throws {
        let found = try Row.fetchOne(
            database,
            sql: "SELECT 1 FROM lease WHERE owner = ? AND period = ? AND ends_at > ?",
            arguments: [owner, self.clock.period, self.clock.milliseconds()]
        )
        guard found != nil else { throw StoreError.fenced }
    }

    /// Claims of ended leases count for nothing; they are dropped so that they do not gather.
    private func forgetEndedLeases(_ database: Database) throws {
        let ended = "SELECT owner FROM lease WHERE period != ? OR ends_at <= ?"
        let arguments: StatementArguments = [self.clock.period, self.clock.milliseconds()]
        try database.execute(sql: "DELETE FROM claim WHERE owner IN (\(ended))", arguments: arguments)
        try database.execute(sql: "DELETE FROM lease WHERE period != ? OR ends_at <= ?", arguments: arguments)
    }
}
