import SchedulerCore
import SchedulerStores

/// Reads uploads in parts and moves them along their life: every change is an event of the state machine, stored by
/// compare-and-swap before anybody acts on it.
struct UploadRecords: Sendable {
    /// Times that a change is tried when somebody else changes the record in between, as parts that arrive together do.
    private static let maximumTries = 64
    /// Parts of one read.
    private static let pageParts = 500

    let store: any MetadataStore

    /// What an event came to, and the record as it is now.
    struct Change: Sendable {
        var outcome: UploadStateMachine.Outcome
        var record: UploadRecord
    }

    /// The upload of this tenant.
    /// - Throws: NOT_FOUND when there is none.
    func get(_ id: String, tenant: String) async throws -> UploadRecord {
        guard ObjectID.isWellFormed(id, .upload),
            let upload = try await self.store.get(UploadRecord.self, id)?.object, upload.tenant == tenant
        else { throw RPCErrors.noSuchUpload(id) }
        return upload
    }

    /// Some of an upload's parts, oldest first.
    func parts(of uploadID: String, after: String?, limit: Int) async throws(StoreError) -> [UploadPartRecord] {
        let query = RecordQuery(kind: .uploadPart, label: uploadID, after: after, ascending: true, limit: limit)
        var parts: [UploadPartRecord] = []
        for stored in try await self.store.list(query) {
            parts.append(try stored.decoded(UploadPartRecord.self).object)
        }
        return parts
    }

    /// All parts of an upload by id; there are at most `UploadRecord.maximumParts`.
    func parts(of uploadID: String) async throws(StoreError) -> [String: UploadPartRecord] {
        var all: [String: UploadPartRecord] = [:]
        var after: String?
        repeat {
            let page = try await self.parts(of: uploadID, after: after, limit: Self.pageParts)
            for part in page { all[part.id] = part }
            after = page.count == Self.pageParts ? page.last?.id : nil
        } while after != nil
        return all
    }

    /// Applies an event to the stored record.
    /// - Parameters:
    ///   - alongside: changes that become durable with it or not at all.
    ///   - event: called again when somebody else changed the record first.
    /// - Throws: `StoreError.gone` when the upload was swept, and what the store throws.
    func apply(
        to id: String,
        alongside changes: [RecordChange] = [],
        _ event: (inout UploadStateMachine) -> UploadStateMachine.Outcome
    ) async throws(StoreError) -> Change {
        for _ in 0..<Self.maximumTries {
            guard let stored = try await self.store.get(UploadRecord.self, id) else {
                throw .gone(RecordKey(.upload, id))
            }
            var machine = UploadStateMachine(stored.object)
            let outcome = event(&machine)
            guard outcome == .changed else { return Change(outcome: outcome, record: stored.object) }
            do throws(StoreError) {
                let update = try StoredRecord(machine.record, version: stored.version)
                try await self.store.apply([.update(update)] + changes)
                return Change(outcome: .changed, record: machine.record)
            } catch {
                guard error == .conflict else { throw error }
            }
        }
        throw .conflict
    }
}
