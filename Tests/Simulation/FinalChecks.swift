import ProtoMessages
import SchedulerCore
import SchedulerStores

/// What must be true of everything once it is quiet.
struct FinalChecks {
    let cluster: Cluster
    let workload: Workload

    func run() {
        self.checkOrders()
        self.checkMadeInputs()
        self.checkUploads()
        self.checkExecutions()
        self.checkOrphans()
        self.checkBytes()
    }

    /// I-01, I-03, I-11.
    private func checkOrders() {
        let batches = Dictionary(grouping: self.cluster.store.batches()) { $0.metadata["order"] }
        let files = Set(self.cluster.store.files().map(\.id))
        for order in self.workload.orders {
            let own = batches["\(order.number)"] ?? []
            if order.isRefused, !own.isEmpty {
                self.cluster.violation("I-02 order \(order.number) was refused and is there")
            }
            if own.count > 1 { self.cluster.violation("I-03 order \(order.number) became \(own.count) batches") }
            if let id = order.batchID, !order.isDeleted, own.first?.id != id {
                self.cluster.violation("I-01 \(id) is gone")
            }
            if order.isDeleted, !own.isEmpty { self.cluster.violation("I-01 order \(order.number) was deleted") }
            if !order.isChecked {
                let state = own.first.map(self.state(of:)) ?? "not created"
                self.cluster.violation("I-11 order \(order.number) of \(order.lines.count) lines did not end: \(state)")
            }
            guard let file = order.fileID, !self.cluster.deletedFiles.contains(file) else { continue }
            let left = order.fileExpiresAt.map {
                SimulatedProcess.milliseconds(untilUnixSecond: $0, at: self.cluster.world.now)
            }
            if (left ?? .max) > 0, !files.contains(file) {
                self.cluster.violation("I-01 \(file) is gone")
            }
            if let left, left < -self.cluster.scenario.sweeping, files.contains(file) {
                self.cluster.violation("I-12 \(file) has expired and is still there")
            }
        }
    }

    private func state(of batch: BatchRecord) -> String {
        let paused = batch.pausedAt == nil ? "" : "paused, "
        return "\(batch.status), \(paused)\(batch.counts), \(batch.waitingReason ?? "")"
    }

    /// I-03: inputs that were made for a batch are there with it or not at all.
    private func checkMadeInputs() {
        let known = Set(self.workload.orders.compactMap(\.fileID))
        for file in self.cluster.store.files() where !known.contains(file.id) {
            guard file.filename == "inline.jsonl" || file.filename.hasSuffix("_retry.jsonl") else { continue }
            self.cluster.violation("I-03 \(file.id), \(file.filename), was made for no batch")
        }
    }

    /// A8: an upload became one file or none, as it was told, and has no parts once it has ended.
    private func checkUploads() {
        let records = Dictionary(uniqueKeysWithValues: self.cluster.store.uploads().map { ($0.id, $0) })
        let files = Dictionary(grouping: self.cluster.store.files(), by: \.filename)
        for upload in self.workload.uploads {
            let ids = files[upload.filename, default: []].map(\.id)
            let record = records[upload.id]
            if let id = upload.fileID, ids.contains(where: { $0 != id }) || record?.fileID ?? id != id {
                self.cluster.violation("I-03 \(upload.id) became \(ids), and \(id) as was told")
            }
            let mayHaveFile = record.map { $0.status == .completed } ?? (upload.fileID != nil)
            if ids.count > 1 || !mayHaveFile && !ids.isEmpty {
                self.cluster.violation("I-02 \(upload.id) became \(ids): \(record.map { "\($0)" } ?? "it is gone")")
            }
            if upload.isCancelled, let record, record.status != .cancelled {
                self.cluster.violation("I-01 \(upload.id) was cancelled and is \(record)")
            }
        }
        let parts = Dictionary(grouping: self.cluster.store.parts(), by: \.uploadID)
        for (id, parts) in parts.sorted(by: { $0.key < $1.key }) {
            guard let record = records[id], !self.hasLongEnded(record) else {
                self.cluster.violation("I-12 \(id) has ended and has \(parts.count) parts")
                continue
            }
            if record.parts != parts.count || record.receivedBytes != parts.reduce(0, { $0 + $1.bytes }) {
                self.cluster.violation("I-06 \(record) has the parts \(parts)")
            }
        }
    }

    /// Sweeps came by after its end.
    private func hasLongEnded(_ upload: UploadRecord) -> Bool {
        let end = max(upload.expiresAt, upload.composingUntil ?? .min)
        let left = SimulatedProcess.milliseconds(untilUnixSecond: end, at: self.cluster.world.now)
        return upload.status != .pending || left < -self.cluster.scenario.sweeping
    }

    /// What tenants are told to have is what is on the disk.
    private func checkBytes() {
        let blobs =
            self.cluster.store.files().map { ($0.blobKey, $0.bytes) }
            + self.cluster.store.parts().map { ($0.id, $0.bytes) }
        for (key, bytes) in blobs {
            let path = self.cluster.disk.names(in: "/data/blobs").map { "/data/blobs/\($0)/\(key)" }
                .first { self.cluster.disk.node($0) != nil }
            guard case .file(let file) = path.flatMap(self.cluster.disk.node), Int64(file.bytes.count) == bytes else {
                self.cluster.violation("I-12 \(key) has not the \(bytes) bytes that count for its tenant")
                continue
            }
        }
        let weight = self.cluster.store.weight()
        let unfinished = self.cluster.store.batches().filter { !$0.status.isTerminal }
        if weight.bytes != blobs.reduce(0, { $0 + $1.1 }) || unfinished.isEmpty && weight.requests != 0 {
            self.cluster.violation("I-12 \(weight) is counted for \(blobs.count) files and parts")
        }
    }

    /// I-07: what ran twice was in flight, or not yet synced, when an owner ended.
    private func checkExecutions() {
        let engines = self.cluster.engines
        let lines = self.workload.orders.reduce(0) { $0 + $1.lines.count }
        let inFlight = 2 * SimulatedScheduler.engineConcurrency
        let bound = lines + engines.wastedExecutions + self.cluster.flips + self.cluster.interruptions * 3 * inFlight
        if engines.totalExecutions > bound {
            self.cluster.violation("I-07 \(engines.totalExecutions) executions of \(lines) lines, at most \(bound)")
        }
    }

    /// I-12.
    private func checkOrphans() {
        let files = self.cluster.store.files()
        let plans = files.filter { $0.purpose == .batch }.map { $0.id + ".plan" }
        let blobs = files.map(\.blobKey) + plans + self.cluster.store.parts().map(\.id)
        let referenced = Set(blobs + blobs.map { $0 + ".sums" })
        var found: Set<String> = []
        for shard in self.cluster.disk.names(in: "/data/blobs") {
            found.formUnion(self.cluster.disk.names(in: "/data/blobs/\(shard)"))
        }
        for orphan in found.subtracting(referenced).sorted() { self.cluster.violation("I-12 \(orphan) is an orphan") }
        for lost in Set(blobs).subtracting(plans).subtracting(found).sorted() {
            self.cluster.violation("I-12 \(lost) is gone although a file needs it")
        }
        for job in self.cluster.disk.names(in: "/data/jobs") {
            self.cluster.violation("I-12 \(job) has job files left")
        }
    }
}
