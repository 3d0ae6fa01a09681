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

    /// Claims up to `limit` batches for the lease `owner`.
    func claim(for owner: String, besides active: Set<String>, atMost limit: Int) async throws -> [ActiveBatch] {
        var plan = ClaimPlan(ownership: try await self.environment.store.ownership(), owner: owner)
        var claimed: [ActiveBatch] = []
        for label in [BatchRecord.cancellingLabel, BatchRecord.activeLabel] {
            var after: String?
            while claimed.count < limit {
                let page = try await self.environment.store.list(
                    RecordQuery(kind: .batch, label: label, after: after, ascending: true, limit: Self.pageBatches)
                )
                for record in page where claimed.count < limit && !active.contains(record.key.id) {
                    guard let keys = await self.keys(for: record, &plan) else { continue }
                    guard try await self.environment.store.claim(keys, for: owner) else { continue }
                    claimed.append(ActiveBatch(id: record.key.id, owner: owner, claims: keys))
                }
                guard let last = page.last, page.count == Self.pageBatches else { break }
                after = last.key.id
            }
        }
        return claimed
    }

    private func keys(for record: StoredRecord, _ plan: inout ClaimPlan) async -> [String]? {
        do throws(StoreError) {
            let batch = try record.decoded(BatchRecord.self).object
            let needsEngines = batch.status == .validating || batch.status == .inProgress
            let models = needsEngines ? batch.models : []
            let age = self.environment.platform.time.unixSeconds - batch.times.createdAt
            let isServed = self.environment.dispatcher.absentModels(models).isEmpty || age >= Self.unservedSeconds
            return plan.keys(forBatch: batch.id, models: models, isServed: isServed)
        } catch {
            await self.quarantine(record.key.id, because: "\(error)")
            return nil
        }
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
            try await self.environment.store.apply([.update(record)])
        } catch {
            self.logger.error("a batch cannot be put aside", metadata: ["batch": "\(id)", "error": "\(error)"])
        }
    }
}
