import Logging
import SchedulerCore
import SchedulerStores

/// Finds batches that nobody runs and claims them, oldest first.
struct BatchClaimer: Sendable {
    private static let pageBatches = 100
    /// A batch that nobody can serve is claimed after so many seconds by anybody, so that its errors are told.
    private static let unservedSeconds: Int64 = 10

    let environment: JobEnvironment
    let logger: Logger

    /// How many batches may be claimed.
    struct Room {
        /// Batches that want to run.
        var forRunning: Int
        /// Batches that only have to end, because they were cancelled or their window is over: they are not held up by
        /// those that run (I-09, I-10).
        var forEnding: Int
        /// Without room to run, all that waits is looked through only for the sake of windows that are over.
        var looksForExpired: Bool
    }

    /// Claims batches for the lease `owner` as far as there is room.
    func claim(for owner: String, besides active: Set<String>, _ room: Room) async throws -> [ActiveBatch] {
        var room = room
        var plan = ClaimPlan(ownership: try await self.environment.store.ownership(), owner: owner)
        var claimed: [ActiveBatch] = []
        let pageBatches = self.environment.platform.pageSize(Self.pageBatches, unless: .smallPagesOfBatches)
        for label in [BatchRecord.cancellingLabel, BatchRecord.activeLabel] {
            var after: String?
            while room.forEnding > 0,
                label == BatchRecord.cancellingLabel || room.forRunning > 0 || room.looksForExpired
            {
                let page = try await self.environment.store.list(
                    RecordQuery(kind: .batch, label: label, after: after, ascending: true, limit: pageBatches)
                )
                for record in page where !active.contains(record.key.id) {
                    guard let wish = await self.wish(for: record, &plan, room) else { continue }
                    guard try await self.environment.store.claim(wish.keys, for: owner) else { continue }
                    claimed.append(ActiveBatch(id: record.key.id, owner: owner, claims: wish.keys))
                    if wish.isEnding { room.forEnding -= 1 } else { room.forRunning -= 1 }
                }
                guard let last = page.last, page.count == pageBatches else { break }
                after = last.key.id
            }
        }
        return claimed
    }

    /// What has to be claimed for a batch; nil: not now, or not by this scheduler.
    private func wish(
        for record: StoredRecord,
        _ plan: inout ClaimPlan,
        _ room: Room
    ) async -> (keys: [String], isEnding: Bool)? {
        do throws(StoreError) {
            let batch = try record.decoded(BatchRecord.self).object
            let now = self.environment.platform.time.unixSeconds
            let isEnding = batch.status == .cancelling || batch.times.expiresAt <= now
            guard isEnding ? room.forEnding > 0 : room.forRunning > 0 else { return nil }
            let needsEngines = !isEnding && batch.status != .finalizing
            let models = needsEngines ? batch.models : []
            let isServed =
                self.environment.dispatcher.absentModels(models).isEmpty
                || now - batch.times.createdAt >= Self.unservedSeconds
            let keys = plan.keys(forBatch: batch.id, models: models, isServed: isServed)
            return keys.map { ($0, isEnding) }
        } catch {
            await self.quarantine(record.key.id, because: "\(error)")
            return nil
        }
    }

    /// Batches that were put aside are tried again: this may be the program that can read them.
    func takeUpQuarantined() async throws {
        var after: String?
        repeat {
            let page = try await self.environment.store.list(
                RecordQuery(kind: .batch, label: BatchRecord.quarantinedLabel, after: after, limit: Self.pageBatches)
            )
            for record in page {
                guard let batch = try? record.decoded(BatchRecord.self).object else { continue }
                do throws(StoreError) {
                    try await self.environment.store.apply([.update(try StoredRecord(batch, version: record.version))])
                } catch {
                    guard error == .conflict else { throw error }
                }
            }
            after = page.count == Self.pageBatches ? page.last?.key.id : nil
        } while after != nil
    }

    /// Puts a batch aside whose record or files cannot be read: it is reported, and not tried again and again.
    func quarantine(_ id: String, because reason: String) async {
        self.logger.critical(
            "a batch cannot be read and is put aside",
            metadata: ["batch": "\(id)", "reason": "\(reason)"]
        )
        do {
            guard var record = try await self.environment.store.get(RecordKey(.batch, id)) else { return }
            record.label = BatchRecord.quarantinedLabel
            record.weight = RecordWeight()
            try await self.environment.store.apply([.update(record)])
        } catch {
            self.logger.error("a batch cannot be put aside", metadata: ["batch": "\(id)", "error": "\(error)"])
        }
    }
}
