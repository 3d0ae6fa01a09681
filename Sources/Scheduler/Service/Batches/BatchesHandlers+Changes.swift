import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

// MARK: - Changes of a batch that is there

extension BatchesHandlers {
    func cancel(_ id: String, _ tenant: String) async throws -> BatchRecord {
        _ = try await self.batch(id, tenant)
        let change = try await self.records.apply(to: id) { $0.cancelRequested(at: self.platform.time.unixSeconds) }
        switch change.outcome {
        case .changed, .unchanged:
            self.runner.cancelWasRequested(id)
            return change.record
        case .refused:
            throw RPCErrors.make(
                .failedPrecondition,
                "Cannot cancel a batch with status '\(change.record.status.rawValue)'.",
                reason: "batch_not_cancellable"
            )
        }
    }

    /// A pause lets what is at engines end and sends nothing more; the window goes on.
    func setPaused(_ isPaused: Bool, _ id: String, _ tenant: String) async throws -> BatchRecord {
        _ = try await self.batch(id, tenant)
        let change = try await self.records.apply(to: id) { batch in
            isPaused ? batch.pauseRequested(at: self.platform.time.unixSeconds) : batch.resumeRequested()
        }
        guard change.outcome != .refused else {
            throw RPCErrors.make(
                .failedPrecondition,
                "Cannot \(isPaused ? "pause" : "resume") a batch with status '\(change.record.status.rawValue)'.",
                reason: isPaused ? "batch_not_pausable" : "batch_not_resumable"
            )
        }
        self.runner.noteWish(change.record, version: change.version)
        return self.live(change.record)
    }

    /// Its output and error files are objects of their own and stay.
    func delete(_ id: String, _ tenant: String) async throws -> DeleteBatchResponse {
        let batch = try await self.batch(id, tenant)
        guard batch.status.isTerminal else {
            throw RPCErrors.make(
                .failedPrecondition,
                "Cannot delete a batch with status '\(batch.status.rawValue)': cancel it first, or wait for its end.",
                reason: "batch_not_deletable"
            )
        }
        do throws(StoreError) {
            try await self.store.apply([.delete(RecordKey(.batch, id))])
        } catch {
            throw error == .conflict ? RPCErrors.noSuchBatch(id) : RPCErrors.store(error)
        }
        return DeleteBatchResponse()
    }
}
