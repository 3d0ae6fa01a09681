import SchedulerCore
import SchedulerStores

/// Reads batches and moves them along their life: every change is an event of the state machine, stored by
/// compare-and-swap before anybody acts on it.
struct BatchRecords: Sendable {
    /// Times that a change is tried when somebody else changes the record in between.
    private static let maximumTries = 16

    let store: any MetadataStore
    /// Changes are made only while this owner's lease holds; nil: by anybody, such as a client's cancel.
    var owner: String?
    /// The epoch that the owner began; a record of another one is another owner's, even where nothing would change.
    var epoch: UInt32?

    /// What an event came to, and the record as it is now.
    struct Change: Sendable {
        var outcome: BatchStateMachine.Outcome
        var record: BatchRecord
        /// The version of the record.
        var version: Int64
    }

    func get(_ id: String) async throws(StoreError) -> BatchRecord? {
        try await self.store.get(BatchRecord.self, id)?.object
    }

    /// Applies an event to the stored record.
    /// - Parameters:
    ///   - alongside: changes that become durable with it or not at all.
    ///   - event: called again when somebody else changed the record first.
    /// - Throws: `StoreError.gone` when the batch was deleted, and what the store throws.
    func apply(
        to id: String,
        alongside changes: [RecordChange] = [],
        _ event: (inout BatchStateMachine) -> BatchStateMachine.Outcome
    ) async throws(StoreError) -> Change {
        for _ in 0..<Self.maximumTries {
            guard let stored = try await self.store.get(BatchRecord.self, id) else {
                throw .gone(RecordKey(.batch, id))
            }
            if let epoch, stored.object.epoch != epoch { throw .fenced }
            var machine = BatchStateMachine(stored.object)
            let outcome = event(&machine)
            guard outcome == .changed else {
                return Change(outcome: outcome, record: stored.object, version: stored.version)
            }
            do throws(StoreError) {
                let update = try StoredRecord(machine.record, version: stored.version)
                try await self.store.apply(self.fence + [.update(update)] + changes)
                return Change(outcome: .changed, record: machine.record, version: stored.version + 1)
            } catch {
                guard error == .conflict else { throw error }
            }
        }
        throw .conflict
    }

    private var fence: [RecordChange] { self.owner.map { [.requireLease(owner: $0)] } ?? [] }
}
