import SchedulerCore
import SchedulerStores

/// The metadata store as one process reaches it: calls take time, get lost, or are the process's last.
struct SimulatedStore: MetadataStore {
    let store: MemoryMetadataStore
    let process: SimulatedProcess
    /// Told each batch that was stored.
    let onChange: @Sendable (BatchRecord) -> Void
    private var world: World { self.process.world }

    private func perform<Result: Sendable>(
        isChange: Bool,
        _ body: () async throws(StoreError) -> Result
    ) async throws(StoreError) -> Result {
        try await self.travel()
        if isChange, self.world.fault(.crashBeforeTransaction, Probability.crashAtTransaction) {
            self.process.kill()
        }
        guard !self.process.isDead else { throw .unavailable("the process is dead") }
        if self.world.fault(.storeUnavailable, Probability.storeFault) { throw .unavailable("simulated") }
        let result = try await body()
        if isChange, self.world.fault(.crashAfterTransaction, Probability.crashAtTransaction) {
            self.process.kill()
        }
        try await self.travel()
        guard !self.process.isDead else { throw .unavailable("the process is dead") }
        if isChange, self.world.fault(.transactionUnknown, Probability.storeFault) {
            throw .unavailable("simulated: the reply was lost")
        }
        return result
    }

    private func travel() async throws(StoreError) {
        do {
            try await self.process.sleep(self.world.random(0...1))
        } catch {
            throw .unavailable("the task was cancelled")
        }
    }

    func get(_ key: RecordKey) async throws(StoreError) -> StoredRecord? {
        try await self.perform(isChange: false) { () async throws(StoreError) in try await self.store.get(key) }
    }

    func list(_ query: RecordQuery) async throws(StoreError) -> [StoredRecord] {
        try await self.perform(isChange: false) { () async throws(StoreError) in try await self.store.list(query) }
    }

    func apply(_ changes: [RecordChange], remembering answer: RememberedAnswer?) async throws(StoreError) {
        try await self.perform(isChange: true) { () async throws(StoreError) in
            try await self.store.apply(changes, remembering: answer)
            self.tell(changes)
        }
    }

    private func tell(_ changes: [RecordChange]) {
        for change in changes {
            switch change {
            case .insert(let record), .update(let record):
                guard record.key.kind == .batch, let batch = try? record.decoded(BatchRecord.self).object else { break }
                self.onChange(batch)
            case .delete, .require, .requireLease, .requireQuota, .requireFewer: break
            }
        }
    }

    func rememberedAnswer(scope: String, key: String, notBefore: Int64) async throws(StoreError) -> RememberedAnswer? {
        try await self.perform(isChange: false) { () async throws(StoreError) in
            try await self.store.rememberedAnswer(scope: scope, key: key, notBefore: notBefore)
        }
    }

    func forgetAnswers(before time: Int64) async throws(StoreError) {
        try await self.perform(isChange: true) { () async throws(StoreError) in
            try await self.store.forgetAnswers(before: time)
        }
    }

    func beginLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try await self.perform(isChange: true) { () async throws(StoreError) in
            try await self.store.beginLease(owner, milliseconds: milliseconds)
        }
    }

    func renewLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try await self.perform(isChange: true) { () async throws(StoreError) in
            try await self.store.renewLease(owner, milliseconds: milliseconds)
        }
    }

    func endLease(_ owner: String) async throws(StoreError) {
        try await self.perform(isChange: true) { () async throws(StoreError) in
            try await self.store.endLease(owner)
        }
    }

    func claim(_ keys: [String], for owner: String) async throws(StoreError) -> Bool {
        try await self.perform(isChange: true) { () async throws(StoreError) in
            try await self.store.claim(keys, for: owner)
        }
    }

    func unclaim(_ keys: [String], of owner: String) async throws(StoreError) {
        try await self.perform(isChange: true) { () async throws(StoreError) in
            try await self.store.unclaim(keys, of: owner)
        }
    }

    func ownership() async throws(StoreError) -> Ownership {
        try await self.perform(isChange: false) { () async throws(StoreError) in try await self.store.ownership() }
    }
}
