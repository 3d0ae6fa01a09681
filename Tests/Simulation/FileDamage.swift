import ProtoMessages
import SchedulerCore

/// Flips bits in what is stored for files, and knows which ones: nothing but what depends on them may suffer.
final class FileDamage: @unchecked Sendable {
    // Guard: only the main thread touches it.

    private static let plan = ".plan"
    private static let sums = ".sums"
    private static let part = "part_"

    private let world: World
    private let disk: SimulatedDisk
    /// Blobs, plans and checksums that were damaged, by their names.
    private var files: [String: SimulatedDisk.File] = [:]
    /// Batches that failed because of it.
    private var ended: Set<String> = []
    var onViolation: (String) -> Void = { _ in }

    init(world: World, disk: SimulatedDisk) {
        self.world = world
        self.disk = disk
    }

    // MARK: - Faults

    /// Hits any stored file.
    func hitAnything() {
        let kinds: [Fault] = [.bitFlipInInput, .bitFlipInPlan, .bitFlipInOutput, .bitFlipInPart, .bitFlipInSums]
        let kind = kinds[Int(self.world.random() % UInt64(kinds.count))]
        _ = self.hit { Self.kind(of: $0) == kind }
    }

    /// Hits what a batch reads, or what it wrote once it has ended; says whether there was anything.
    func hit(filesOf batch: BatchRecord) -> Bool {
        let ids = batch.status.isTerminal ? [batch.outputFileID, batch.errorFileID] : [batch.inputFileID]
        return self.hit { ids.contains(Self.fileID(of: $0)) }
    }

    /// Hits a part of an upload that has not been composed.
    func hit(parts: [String]) {
        _ = self.hit { parts.contains(Self.fileID(of: $0)) }
    }

    private func hit(_ isWanted: (_ name: String) -> Bool) -> Bool {
        let files = self.disk.syncedFiles { $0.hasPrefix("/data/blobs/") && isWanted(Self.name($0)) }
        guard self.world.hasFaults, !files.isEmpty else { return false }
        let (path, file) = files[Int(self.world.random() % UInt64(files.count))]
        // A second flip may undo the first.
        guard file.undamaged == nil, self.disk.flipBit(of: file) else { return false }
        self.files[Self.name(path)] = file
        self.world.coverage.hit(Self.kind(of: Self.name(path)))
        return true
    }

    private static func name(_ path: String) -> String {
        String(path.dropFirst(SimulatedDisk.parent(path).count + 1))
    }

    private static func fileID(of name: String) -> String { String(name.prefix { $0 != "." }) }

    private static func kind(of name: String) -> Fault {
        if name.hasSuffix(Self.sums) { return .bitFlipInSums }
        if name.hasSuffix(Self.plan) { return .bitFlipInPlan }
        if name.hasPrefix(Self.part) { return .bitFlipInPart }
        return name.contains(".") ? .bitFlipInOutput : .bitFlipInInput
    }

    // MARK: - What may come of it

    /// A batch was stored: it ends for damage only when there is some in what it reads.
    func note(_ batch: BatchRecord) {
        let isForDamage = batch.problems.contains { $0.code == "input_file_damaged" }
        guard batch.status == .failed, isForDamage else { return }
        let input = batch.inputFileID
        guard self.isDamaged(input) || self.isDamaged(input + Self.plan) else {
            return self.onViolation("T-04 \(batch.id) failed though its input is whole: \(batch.problems)")
        }
        self.ended.insert(batch.id)
        self.world.coverage.hit(.failedBatch)
    }

    /// Whether a batch failed because what it reads was damaged.
    func hasEnded(_ batchID: String) -> Bool { self.ended.contains(batchID) }

    /// Whether a bit was flipped in one of some parts.
    func hasHit(_ parts: [String]) -> Bool { parts.contains { self.isDamaged($0) } }

    /// Whether a bit was flipped in what a retry of an order's failed lines reads.
    func hasHit(filesOf order: Order) -> Bool {
        let ids = [order.fileID, order.terminal?.errorFileID].compactMap(\.self)
        return self.files.keys.contains { ids.contains(Self.fileID(of: $0)) }
    }

    /// What a damaged blob held; nil: it is whole, and so are its checksums.
    func undamaged(_ key: String) -> [UInt8]? {
        guard self.isDamaged(key) else { return nil }
        if let file = self.files[key] { return file.undamaged }
        return self.disk.syncedFiles { Self.name($0) == key }.first?.file.bytes
    }

    /// Whether a bit was flipped in a blob or its checksums.
    private func isDamaged(_ key: String) -> Bool {
        self.files[key] != nil || self.files[key + Self.sums] != nil
    }
}
