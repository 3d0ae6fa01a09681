import SchedulerCore
import SchedulerStores
import Synchronization

/// A store in memory in which somebody else is quicker, or which answers what was so a moment ago.
final class InterceptedStore: MetadataStore {
    /// A record that is deleted just before the next changes are applied.
    let deletesBeforeApply = Mutex<RecordKey?>(nil)
    /// What the next look at a record gives in place of the stored one, also in lists; used up when it is read by its key.
    let staleRecord = Mutex<StoredRecord?>(nil)
    /// Claims that were given back.
    let unclaimed = Mutex<[String]>([])
    private let store = MemoryMetadataStore(clock: LeaseClock(period: "test", milliseconds: { 1 }))

    func apply(_ changes: [RecordChange], remembering answer: RememberedAnswer?) async throws(StoreError) {
        let key = self.deletesBeforeApply.withLock { key in
            defer { key = nil }
            return key
        }
        if let key { try await self.store.apply([.delete(key)]) }
        try await self.store.apply(changes, remembering: answer)
    }

    func get(_ key: RecordKey) async throws(StoreError) -> StoredRecord? {
        let stale = self.staleRecord.withLock { stale in
            guard stale?.key == key else { return nil as StoredRecord? }
            defer { stale = nil }
            return stale
        }
        if let stale { return stale }
        return try await self.store.get(key)
    }

    func list(_ query: RecordQuery) async throws(StoreError) -> [StoredRecord] {
        let found = try await self.store.list(query)
        let stale = self.staleRecord.withLock { $0 }
        guard let stale, stale.key.kind == query.kind, stale.label == query.label, query.after == nil else {
            return found
        }
        return [stale] + found.filter { $0.key != stale.key }
    }

    func rememberedAnswer(
        scope: String,
        key: String,
        notBefore: Int64
    ) async throws(StoreError) -> RememberedAnswer? {
        try await self.store.rememberedAnswer(scope: scope, key: key, notBefore: notBefore)
    }

    func forgetAnswers(before time: Int64) async throws(StoreError) {
        try await self.store.forgetAnswers(before: time)
    }

    func beginLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try await self.store.beginLease(owner, milliseconds: milliseconds)
    }

    func renewLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try await self.store.renewLease(owner, milliseconds: milliseconds)
    }

    func endLease(_ owner: String) async throws(StoreError) { try await self.store.endLease(owner) }

    func claim(_ keys: [String], for owner: String) async throws(StoreError) -> Bool {
        try await self.store.claim(keys, for: owner)
    }

    func unclaim(_ keys: [String], of owner: String) async throws(StoreError) {
        try await self.store.unclaim(keys, of: owner)
        self.unclaimed.withLock { $0 += keys }
    }

    func ownership() async throws(StoreError) -> Ownership { try await self.store.ownership() }
}
