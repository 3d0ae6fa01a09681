import Logging
import SchedulerCore
import SchedulerStores

/// Ends uploads whose time is over and removes what ended ones leave: their parts, and after a day their records.
///
/// A part's record goes before its bytes: a crash in between leaves bytes without a record, which the sweep removes.
struct UploadCleaner: Sendable {
    private static let pageRecords = 200
    /// Times that the same page is read again when another scheduler removes it too.
    private static let maximumTries = 16

    let store: any MetadataStore
    let bytes: FileBytes
    let platform: Platform
    let logger: Logger

    private var records: UploadRecords { UploadRecords(store: self.store) }

    /// One pass over all uploads at a time in Unix seconds.
    func sweep(_ now: Int64) async throws {
        try await self.forEach(UploadRecord.pendingLabel) { upload in
            guard upload.status(at: now) == .expired else { return }
            _ = try await self.records.apply(to: upload.id) { $0.swept(at: now) }
        }
        try await self.forEach(UploadRecord.releasingLabel) { try await self.removeParts(of: $0.id) }
        try await self.forEach(UploadRecord.endedLabel) { upload in
            guard upload.isForgotten(at: now) else { return }
            try await self.delete([RecordKey(.upload, upload.id)])
        }
    }

    /// Removes the parts of an upload that has ended.
    func removeParts(of uploadID: String) async throws {
        guard let upload = try await self.store.get(UploadRecord.self, uploadID)?.object, upload.status != .pending
        else { return }
        var tries = 0
        while true {
            let parts = try await self.records.parts(of: uploadID, after: nil, limit: Self.pageRecords)
            guard !parts.isEmpty else { break }
            guard try await self.delete(parts.map { RecordKey(.uploadPart, $0.id) }) else {
                tries += 1
                guard tries < Self.maximumTries else { throw StoreError.conflict }
                continue
            }
            await self.platform.wait(if: .waitBeforeRemoval)
            try await self.bytes.remove(parts.map(\.id))
        }
        _ = try await self.records.apply(to: uploadID) { $0.partsRemoved() }
    }

    /// Deletes records; false when somebody else has deleted one of them first.
    @discardableResult
    private func delete(_ keys: [RecordKey]) async throws(StoreError) -> Bool {
        do throws(StoreError) {
            try await self.store.apply(keys.map { .delete($0) })
            return true
        } catch {
            guard error == .conflict else { throw error }
            return false
        }
    }

    private func forEach(_ label: String, _ body: (UploadRecord) async throws -> Void) async throws {
        let pageRecords = self.platform.pageSize(Self.pageRecords, unless: .smallPagesOfSweeps)
        var after: String?
        repeat {
            let page = try await self.store.list(
                RecordQuery(kind: .upload, label: label, after: after, ascending: true, limit: pageRecords)
            )
            for stored in page {
                do {
                    try await body(try stored.decoded(UploadRecord.self).object)
                } catch StoreError.gone {
                    // Another scheduler sweeps, too.
                } catch StoreError.unreadable(let what) {
                    // It keeps its parts.
                    self.logger.error("an upload cannot be read", metadata: ["error": "\(what)"])
                }
            }
            after = page.count == pageRecords ? page.last?.key.id : nil
        } while after != nil
    }
}
