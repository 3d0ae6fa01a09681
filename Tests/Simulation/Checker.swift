import Foundation
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// What may be told about a batch after what was told before (I-05, I-06).
struct History {
    let cluster: Cluster

    func check(_ batch: Batch, after before: Batch?, terminal: Batch?) {
        if let terminal {
            if batch != terminal {
                self.cluster.violation("I-05 \(batch.id) changed after its end: \(terminal) \(batch)")
            }
            return
        }
        guard let before, let old = before.requestCounts, let new = batch.requestCounts else { return }
        // Answers may overtake each other on the way; what one scheduler stored all tell.
        let isCutShort = batch.status == .failed && self.cluster.damage.hasEnded(batch.id)
        if batch.status.isTerminal, new.total > 0, new.completed + new.failed != new.total, !isCutShort {
            self.cluster.violation("I-06 \(batch.id) ended with \(new)")
        }
        if batch.status.isTerminal, new.completed < old.completed, self.cluster.flips == 0 {
            self.cluster.violation("I-06 \(batch.id) went from \(old) to \(new)")
        }
    }
}

/// Looks at what a client got for an order that has ended.
struct Checker {
    private static let pageBytes: UInt32 = 256 << 10
    let cluster: Cluster
    let calls: Workload

    func check(_ order: Order) async {
        guard let batch = order.terminal else { return }
        self.checkEnding(order, batch)
        let places = Dictionary(uniqueKeysWithValues: order.lines.enumerated().map { ($1.customID, $0) })
        var seen: [Int: String] = [:]
        for (id, isOutput) in [(batch.outputFileID, true), (batch.errorFileID, false)] where !id.isEmpty {
            guard let content = await self.content(of: id) else { continue }
            var count = 0
            for line in content.split(separator: UInt8(ascii: "\n")) {
                count += 1
                self.check(line, of: order, places, isOutput: isOutput, &seen)
            }
            let counts = batch.requestCounts ?? RequestCounts()
            if count != Int(isOutput ? counts.completed : counts.failed) {
                self.cluster.violation("I-06 \(batch.id) has \(count) lines in a file and counts \(counts)")
            }
        }
        if batch.inProgressAt != nil, batch.status != .failed {
            for line in order.lines.indices where seen[line] == nil {
                self.cluster.violation("I-04 \(batch.id) lost line \(line) of \(order.lines.count), \(batch.status)")
            }
        }
        // One that ended before its validation is retried as a whole.
        let neverRan = batch.inProgressAt == nil && batch.status != .failed && order.isValid
        order.failed = order.lines.indices.filter { neverRan || seen[$0] == "error" }
        await self.checkInput(of: order)
        guard !order.isChecked else { return }
        order.isChecked = true
        self.cluster.world.coverage.batches += 1
        self.cluster.world.coverage.lines += seen.count
    }

    private func checkEnding(_ order: Order, _ batch: Batch) {
        switch batch.status {
        case .failed:
            if order.isValid, !self.cluster.damage.hasEnded(batch.id) {
                self.cluster.violation("\(batch.id) failed: \(batch.errors)")
            }
        case .cancelled:
            if batch.cancellingAt == nil { self.cluster.violation("\(batch.id) was cancelled by nobody") }
        case .expired:
            if batch.completionWindow != self.cluster.scenario.shortWindow, !self.cluster.scenario.mayOutlastADay {
                self.cluster.violation("\(batch.id) expired within a day")
            }
        case .completed:
            if !order.isValid { self.cluster.violation("\(batch.id) completed with an invalid input") }
        default: break
        }
    }

    /// Exactly one line of each request, with its own answer.
    private func check(
        _ bytes: ArraySlice<UInt8>,
        of order: Order,
        _ places: [String: Int],
        isOutput: Bool,
        _ seen: inout [Int: String]
    ) {
        guard let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
            let id = object["custom_id"] as? String, let line = places[id]
        else {
            return self.cluster.violation("order \(order.number): \(String(decoding: bytes, as: UTF8.self))")
        }
        if let before = seen[line] {
            return self.cluster.violation("I-04 order \(order.number) line \(line) is there twice: \(before)")
        }
        seen[line] = isOutput ? "output" : "error"
        guard isOutput else { return }
        let response = object["response"] as? [String: Any]
        let body = response?["body"] as? [String: Any]
        let echo = body?["echo"] as? [String: Any]
        if echo?["o"] as? Int != order.lines[line].order || echo?["l"] as? Int != order.lines[line].number {
            self.cluster.violation("I-04 order \(order.number) line \(line) has another's answer")
        }
    }

    /// The input is what was uploaded until somebody deletes it.
    private func checkInput(of order: Order) async {
        guard let file = order.fileID else { return }
        let content = await self.content(of: file) { self.cluster.mayBeGone(inputOf: order) }
        if let content, content != order.content {
            self.cluster.violation("I-01 \(file) is not what was uploaded")
        }
    }

    /// A whole file; nil after a violation, or when it is gone and may be. One that is damaged is refused or comes as it was
    /// before; what else is to be true of it is checked as ever.
    private func content(of id: String, mayBeGone: () -> Bool = { false }) async -> [UInt8]? {
        // Looked up first: nothing that is served may be newer.
        let key = (try? await self.cluster.store.get(FileRecord.self, id))?.object.blobKey ?? id
        var bytes: [UInt8] = []
        while true {
            let request = ReadFileRequest(fileID: id, offset: UInt64(bytes.count), maximumBytes: Self.pageBytes)
            switch await self.calls.persistently(FilesService.readFile, request) {
            case .success(let page):
                bytes += page.data.readableBytesView
                if bytes.count >= Int(page.fileBytes) {
                    if let whole = self.cluster.damage.undamaged(key), bytes != whole {
                        self.cluster.violation("T-04 \(id) is damaged and was served")
                        return whole
                    }
                    return bytes
                }
                if page.data.readableBytes == 0 {
                    self.cluster.violation("I-01 \(id) has \(bytes.count) of \(page.fileBytes) bytes")
                    return nil
                }
            case .failure(let error) where error.tellsOfDamage:
                guard let whole = self.cluster.damage.undamaged(key), whole.starts(with: bytes) else {
                    self.cluster.violation("T-04 \(id) was refused: \(error)")
                    return nil
                }
                self.cluster.world.coverage.hit(.refusedDownload)
                return whole
            case .failure(let error):
                if error.code != .notFound || !mayBeGone() {
                    self.cluster.violation("I-01 \(id) cannot be read: \(error)")
                }
                return nil
            }
        }
    }
}
