import Logging
import SchedulerCore
import SchedulerStores
import ServiceLifecycle

/// Stores how far running batches are, so that every scheduler tells the same and counts never go down (I-06).
struct ProgressReporter: Service {
    let runner: JobRunner
    let environment: JobEnvironment
    let logger: Logger

    /// Twice as often as others look.
    private var interval: Duration { self.environment.ownership.lookInterval / 2 }

    func run() async throws {
        await self.environment.platform.untilShutdown {
            while (try? await self.environment.platform.time.sleep(self.interval)) != nil {
                await self.report()
            }
        }
    }

    /// One transaction for all batches; if somebody else changes one of them meanwhile, the next round has it.
    private func report() async {
        var changes: [RecordChange] = []
        var owner: String?
        for batch in self.runner.activeBatches where batch.job != nil || batch.trouble != nil {
            guard let change = try? await self.change(of: batch) else { continue }
            changes.append(change)
            owner = batch.owner
        }
        guard let owner else { return }
        do {
            try await self.environment.store.apply([.requireLease(owner: owner)] + changes)
        } catch .conflict, .fenced {
            return
        } catch {
            self.logger.warning("progress was not stored", metadata: ["error": "\(error)"])
        }
    }

    private func change(of batch: ActiveBatch) async throws -> RecordChange? {
        guard let stored = try await self.environment.store.get(BatchRecord.self, batch.id) else { return nil }
        // Another scheduler may have stored it.
        self.runner.noteWish(stored.object, version: stored.version)
        var machine = BatchStateMachine(stored.object)
        let sums = batch.job?.committer.sums ?? (counts: stored.object.counts, usage: stored.object.usage)
        let outcome = machine.progressed(
            to: sums.counts,
            usage: sums.usage,
            waitingReason: self.waitingReason(of: batch)
        )
        guard outcome == .changed else { return nil }
        return .update(try StoredRecord(machine.record, version: stored.version))
    }

    private func waitingReason(of batch: ActiveBatch) -> String? {
        guard let job = batch.job else { return batch.trouble }
        guard !job.committer.snapshot.isComplete else { return nil }
        if let reason = job.committer.waitingReason { return reason }
        return job.isEnding ? nil : self.environment.dispatcher.waitingReason(models: batch.models)
    }
}
