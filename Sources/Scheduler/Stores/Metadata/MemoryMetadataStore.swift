public import SchedulerCore
import Synchronization

/// Records in memory: gone with the process. For tests and simulation, where it is the model of what a store must do.
public final class MemoryMetadataStore: MetadataStore {
    private struct State: Sendable {
        var records: [RecordKind: [String: StoredRecord]] = [:]
        /// By scope and key.
        var answers: [String: [String: RememberedAnswer]] = [:]
        /// When each lease ends.
        var leases: [String: Int64] = [:]
        var claims: [String: String] = [:]
    }

    private let state = Mutex(State())
    private let clock: LeaseClock
    private let maximumAnswers: Int

    /// An empty store.
    /// - Parameter maximumAnswers: most live answers remembered for one scope.
    public init(clock: LeaseClock, maximumAnswers: Int = RememberedAnswer.maximumLive) {
        self.clock = clock
        self.maximumAnswers = maximumAnswers
    }

    /// The record, or nil.
    public func get(_ key: RecordKey) async throws(StoreError) -> StoredRecord? {
        self.state.withLock { $0.records[key.kind]?[key.id] }
    }

    /// Records of one kind, in the order of their ids.
    public func list(_ query: RecordQuery) async throws(StoreError) -> [StoredRecord] {
        let records = self.state.withLock { Array($0.records[query.kind, default: [:]].values) }
        let wanted = records.filter { record in
            guard query.tenant.map({ $0 == record.tenant }) ?? true,
                query.label.map({ $0 == record.label }) ?? true
            else { return false }
            guard let after = query.after else { return true }
            return query.ascending ? record.key.id > after : record.key.id < after
        }
        let sorted = wanted.sorted { query.ascending ? $0.key.id < $1.key.id : $0.key.id > $1.key.id }
        return Array(sorted.prefix(query.limit))
    }

    /// Applies all changes or none.
    public func apply(_ changes: [RecordChange], remembering answer: RememberedAnswer?) async throws(StoreError) {
        try self.transaction { (state) throws(StoreError) in
            for change in changes {
                try self.apply(change, &state)
            }
            if let answer { try self.remember(answer, &state) }
        }
    }

    private func remember(_ answer: RememberedAnswer, _ state: inout State) throws(StoreError) {
        let oldest = answer.createdAt - RememberedAnswer.lifetimeSeconds
        var answers = state.answers[answer.scope, default: [:]]
        if let before = answers[answer.key], before.createdAt >= oldest { throw .conflict }
        answers[answer.key] = answer
        if answers.count > self.maximumAnswers { answers = answers.filter { $0.value.createdAt >= oldest } }
        guard answers.count <= self.maximumAnswers else {
            let first = answers.values.map(\.createdAt).min() ?? oldest
            throw .tooManyAnswers(secondsLeft: first - oldest + 1)
        }
        state.answers[answer.scope] = answers
    }

    /// The answer remembered for an idempotency key, unless it is too old.
    public func rememberedAnswer(
        scope: String,
        key: String,
        notBefore: Int64
    ) async throws(StoreError) -> RememberedAnswer? {
        let found = self.state.withLock { $0.answers[scope]?[key] }
        return found.flatMap { $0.createdAt >= notBefore ? $0 : nil }
    }

    /// Forgets answers remembered before `time`.
    public func forgetAnswers(before time: Int64) async throws(StoreError) {
        self.state.withLock { state in
            state.answers = state.answers.mapValues { $0.filter { $0.value.createdAt >= time } }
                .filter { !$0.value.isEmpty }
        }
    }

    private func apply(_ change: RecordChange, _ state: inout State) throws(StoreError) {
        switch change {
        case .insert(var record):
            guard state.records[record.key.kind]?[record.key.id] == nil else { throw .conflict }
            record.version = 1
            state.records[record.key.kind, default: [:]][record.key.id] = record
        case .update(var record):
            guard let stored = state.records[record.key.kind]?[record.key.id], stored.version == record.version else {
                throw .conflict
            }
            record.version += 1
            record.tenant = stored.tenant
            state.records[record.key.kind]?[record.key.id] = record
        case .delete(let key):
            guard state.records[key.kind]?.removeValue(forKey: key.id) != nil else { throw .conflict }
        case .require(let key):
            guard state.records[key.kind]?[key.id] != nil else { throw .conflict }
        case .requireLease(let owner):
            try self.requireLease(of: owner, state)
        case .requireQuota(let quota, let tenant, let now):
            let usage = Self.usage(of: tenant, state, now: now)
            if let excess = quota.excess(of: usage, now: now) { throw .overQuota(excess) }
        case .requireFewer(let most, let kind, let tenant, let label):
            let found = state.records[kind, default: [:]].values.count { $0.tenant == tenant && $0.label == label }
            guard found < most else { throw .conflict }
        }
    }

    private static func usage(of tenant: String, _ state: State, now: Int64) -> TenantUsage {
        var usage = TenantUsage()
        let first = TenantQuota.firstRecentBatch(now: now)
        for record in state.records.values.joined().map(\.value) where record.tenant == tenant {
            usage.weight.bytes += record.weight.bytes
            usage.weight.requests += record.weight.requests
            usage.weight.tokens += record.weight.tokens
            guard record.key.kind == .batch, record.key.id > first else { continue }
            usage.recentBatches += 1
            let time = ObjectID.unixMilliseconds(of: record.key.id)
            usage.oldestRecentBatch = [usage.oldestRecentBatch, time].compactMap(\.self).min()
        }
        return usage
    }

    /// Changes a copy and keeps it when nothing was thrown.
    private func transaction<Result: Sendable>(
        _ body: (inout State) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let result = self.state.withLock { state in
            var copy = state
            return Swift.Result { () throws(StoreError) in
                let result = try body(&copy)
                state = copy
                return result
            }
        }
        return try result.get()
    }
}

// MARK: - For checkers

extension MemoryMetadataStore {
    /// All batches that can be read.
    package func batches() -> [BatchRecord] { self.objects() }

    /// The files' records.
    package func files() -> [FileRecord] { self.objects() }

    /// The uploads' records.
    package func uploads() -> [UploadRecord] { self.objects() }

    /// The records of uploads' parts.
    package func parts() -> [UploadPartRecord] { self.objects() }

    private func objects<Object: StoredObject>() -> [Object] {
        let records = self.state.withLock { Array($0.records[Object.kind, default: [:]].values) }
        return records.sorted { $0.key.id < $1.key.id }.compactMap { try? $0.decoded(Object.self).object }
    }

    /// What all records together count towards quotas.
    package func weight() -> RecordWeight {
        self.state.withLock { state in
            state.records.values.joined().reduce(into: RecordWeight()) { sum, record in
                sum.bytes += record.value.weight.bytes
                sum.requests += record.value.weight.requests
                sum.tokens += record.value.weight.tokens
            }
        }
    }

    /// Who has a claim under a live lease.
    package func liveOwner(ofClaim key: String) -> String? {
        self.state.withLock { state in
            state.claims[key].flatMap { self.isLive($0, state) ? $0 : nil }
        }
    }
}

// MARK: - Leases

extension MemoryMetadataStore {
    /// Begins an owner's lease.
    public func beginLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try self.transaction { (state) throws(StoreError) in
            guard state.leases[owner] == nil else { throw .conflict }
            state.leases[owner] = self.clock.milliseconds() + milliseconds
            self.forgetEndedLeases(&state)
        }
    }

    /// Extends a lease from now on.
    public func renewLease(_ owner: String, milliseconds: Int64) async throws(StoreError) {
        try self.transaction { (state) throws(StoreError) in
            try self.requireLease(of: owner, state)
            state.leases[owner] = self.clock.milliseconds() + milliseconds
        }
    }

    /// Ends a lease; its claims are free.
    public func endLease(_ owner: String) async throws(StoreError) {
        self.state.withLock { state in
            state.leases[owner] = nil
            self.forgetEndedLeases(&state)
        }
    }

    /// Claims all keys or none.
    public func claim(_ keys: [String], for owner: String) async throws(StoreError) -> Bool {
        try self.transaction { (state) throws(StoreError) in
            try self.requireLease(of: owner, state)
            let isFree = keys.allSatisfy { key in
                guard let other = state.claims[key], other != owner else { return true }
                return !self.isLive(other, state)
            }
            guard isFree else { return false }
            for key in keys { state.claims[key] = owner }
            return true
        }
    }

    /// Gives claims back.
    public func unclaim(_ keys: [String], of owner: String) async throws(StoreError) {
        self.state.withLock { state in
            for key in keys where state.claims[key] == owner { state.claims[key] = nil }
        }
    }

    /// Live leases and what is claimed under them.
    public func ownership() async throws(StoreError) -> Ownership {
        self.state.withLock { state in
            Ownership(
                owners: Set(state.leases.keys.filter { self.isLive($0, state) }),
                claims: state.claims.filter { self.isLive($0.value, state) }
            )
        }
    }

    private func isLive(_ owner: String, _ state: borrowing State) -> Bool {
        state.leases[owner].map { $0 > self.clock.milliseconds() } ?? false
    }

    private func requireLease(of owner: String, _ state: borrowing State) throws(StoreError) {
        guard self.isLive(owner, state) else { throw .fenced }
    }

    private func forgetEndedLeases(_ state: inout State) {
        let now = self.clock.milliseconds()
        state.leases = state.leases.filter { $0.value > now }
        let live = Set(state.leases.keys)
        state.claims = state.claims.filter { live.contains($0.value) }
    }
}
