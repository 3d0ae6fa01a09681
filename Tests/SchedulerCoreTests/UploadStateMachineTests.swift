import SchedulerCore
import Testing

/// The life of an upload in parts (A8), over all states and events.
struct UploadStateMachineTests {
    private static let expiry: Int64 = 3_700

    private static func upload(bytes: Int64 = 100) -> UploadStateMachine {
        UploadStateMachine(
            UploadRecord(
                id: "upload_1",
                tenant: "t",
                filename: "f",
                purpose: .userData,
                bytes: bytes,
                mimeType: "text/plain",
                fileLifetimeSeconds: nil,
                createdAt: 100,
                expiresAt: Self.expiry
            )
        )
    }

    /// An upload with a part, and one in each way to have ended.
    private static func all() -> [UploadRecord.Status: UploadStateMachine] {
        var pending = Self.upload()
        _ = pending.partAdded(bytes: 100, at: 200)
        var completed = pending
        _ = completed.composed("c", as: "file-1", at: 300)
        var cancelled = pending
        _ = cancelled.cancelRequested(at: 300)
        var expired = pending
        _ = expired.swept(at: Self.expiry)
        return [.pending: pending, .completed: completed, .cancelled: cancelled, .expired: expired]
    }

    @Test("A8-02 parts count while the upload is pending and its time is not over")
    func parts() {
        var upload = Self.upload()
        #expect(upload.partAdded(bytes: 60, at: 200) == .changed)
        #expect(upload.partAdded(bytes: 40, at: Self.expiry - 1) == .changed)
        #expect(upload.record.parts == 2 && upload.record.receivedBytes == 100 && upload.record.holdsParts)
        #expect(upload.partAdded(bytes: 1, at: Self.expiry) == .refused(.ended(.expired)))
        #expect(upload.record.parts == 2)
    }

    @Test("A8-02 as many parts and bytes are taken as may be, and no more")
    func bounds() {
        var upload = Self.upload(bytes: 8 << 30)
        for _ in 0..<UploadRecord.maximumParts { #expect(upload.partAdded(bytes: 1, at: 200) == .changed) }
        #expect(upload.partAdded(bytes: 1, at: 200) == .refused(.tooManyParts))
        var small = Self.upload(bytes: 100)
        #expect(small.partAdded(bytes: 200 + UploadPartRecord.maximumBytes, at: 200) == .changed)
        #expect(small.partAdded(bytes: 1, at: 200) == .refused(.tooManyBytes))
    }

    @Test("A8-03 T-20 the same completion again is no error, another one is")
    func completedTwice() {
        var upload = Self.upload()
        #expect(upload.completionBegan("c", at: 200) == .changed)
        #expect(upload.record.status == .pending)
        #expect(upload.composed("c", as: "file-1", at: 210) == .changed)
        #expect(upload.record.status == .completed && upload.record.fileID == "file-1" && upload.record.endedAt == 210)
        for now in [220, Self.expiry + 1] {
            #expect(upload.completionBegan("c", at: now) == .unchanged)
            #expect(upload.composed("c", as: "file-2", at: now) == .unchanged)
            #expect(upload.completionBegan("d", at: now) == .refused(.ended(.completed)))
            #expect(upload.composed("d", as: "file-2", at: now) == .refused(.ended(.completed)))
        }
        #expect(upload.record.fileID == "file-1")
    }

    @Test("A8-03 a completion that fails leaves the upload as it was")
    func failedCompletion() {
        var upload = Self.upload()
        _ = upload.partAdded(bytes: 100, at: 200)
        let before = upload
        #expect(upload.completionBegan("c", at: 210) == .changed)
        #expect(upload.completionFailed() == .changed)
        #expect(upload == before)
        #expect(upload.completionFailed() == .unchanged)
    }

    @Test("A8-01 A8-03 a completion that began in time may end after it, and takes no parts meanwhile")
    func completionOverTheEnd() {
        var upload = Self.upload()
        _ = upload.completionBegan("c", at: Self.expiry - 1)
        #expect(upload.swept(at: Self.expiry) == .unchanged)
        #expect(upload.record.status(at: Self.expiry) == .pending)
        #expect(upload.partAdded(bytes: 1, at: Self.expiry) == .refused(.ended(.expired)))
        var abandoned = upload
        #expect(upload.composed("c", as: "file-1", at: Self.expiry + 60) == .changed)
        // Its scheduler was killed: nobody says that it failed.
        let end = Self.expiry - 1 + UploadRecord.compositionSeconds
        #expect(abandoned.swept(at: end - 1) == .unchanged)
        #expect(abandoned.swept(at: end) == .changed)
        #expect(abandoned.record.status == .expired)
    }

    @Test("A8-01 an upload whose time is over is expired at once, before any sweep")
    func expiry() {
        var upload = Self.upload()
        #expect(upload.record.status(at: Self.expiry - 1) == .pending)
        #expect(upload.record.status(at: Self.expiry) == .expired)
        #expect(upload.completionBegan("c", at: Self.expiry) == .refused(.ended(.expired)))
        #expect(upload.cancelRequested(at: Self.expiry) == .refused(.ended(.expired)))
        #expect(upload.swept(at: Self.expiry - 1) == .unchanged)
        #expect(upload.swept(at: Self.expiry) == .changed)
        #expect(upload.record.status == .expired)
    }

    @Test("A8-04 no event but the removal of its parts changes an upload that has ended", arguments: [150, 3_709])
    func endsAreForEver(now: Int64) {
        for (status, upload) in Self.all() where status != .pending {
            var changed = upload
            let ended = UploadStateMachine.Outcome.refused(.ended(status))
            #expect(changed.partAdded(bytes: 1, at: now) == ended)
            #expect(changed.completionBegan("d", at: now) == ended)
            #expect(changed.composed("d", as: "file-2", at: now) == ended)
            #expect(changed.completionFailed() == .unchanged)
            #expect(changed.cancelRequested(at: now) == (status == .cancelled ? .unchanged : ended))
            #expect(changed.swept(at: now) == .unchanged)
            #expect(changed == upload)
            #expect(changed.partsRemoved() == .changed)
            #expect(changed.partsRemoved() == .unchanged)
            #expect(!changed.record.holdsParts && changed.record.status == status)
        }
    }

    @Test("A8-04 a pending upload keeps its parts")
    func pendingKeepsItsParts() throws {
        var upload = try #require(Self.all()[.pending])
        #expect(upload.partsRemoved() == .unchanged)
        #expect(upload.record.holdsParts)
    }

    @Test("an upload is forgotten a day after its end, once its parts are gone")
    func forgotten() throws {
        var upload = try #require(Self.all()[.cancelled])
        let end: Int64 = 300 + UploadRecord.retainedSeconds
        #expect(!upload.record.isForgotten(at: end))
        _ = upload.partsRemoved()
        #expect(!upload.record.isForgotten(at: end - 1))
        #expect(upload.record.isForgotten(at: end))
        let pending = try #require(Self.all()[.pending])
        #expect(!pending.record.isForgotten(at: .max))
    }

    @Test("T-27 a clock that was set back does not let an upload end before it began")
    func clockSetBack() {
        var upload = Self.upload()
        #expect(upload.cancelRequested(at: 50) == .changed)
        #expect(upload.record.endedAt == 100)
    }
}

/// Which parts make the file (A8-03).
struct PartSelectionTests {
    private static let stored = Dictionary(
        uniqueKeysWithValues: [("a", 5), ("b", 7), ("c", 1)].map { id, bytes in
            (id, UploadPartRecord(id: id, uploadID: "u", tenant: "t", bytes: bytes, createdAt: 1))
        }
    )

    @Test("A8-03 parts stand in the order that the client gives, and need not be all")
    func order() throws {
        #expect(try PartSelection.parts(["b", "a"], of: Self.stored, bytes: 12).map(\.id) == ["b", "a"])
        #expect(try PartSelection.parts(["a", "c", "b"], of: Self.stored, bytes: 13).map(\.bytes) == [5, 1, 7])
    }

    @Test("A8-03 parts that do not make the file are named")
    func problems() {
        let problem = { (ids: [String], bytes: Int64) -> PartSelection.Problem? in
            do throws(PartSelection.Problem) {
                _ = try PartSelection.parts(ids, of: Self.stored, bytes: bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(problem(["a", "a"], 10) == .repeated("a"))
        #expect(problem(["a", "x"], 5) == .unknown("x"))
        #expect(problem(["a"], 6) == .size(declared: 6, found: 5))
        #expect(problem(["a", "b"], 11) == .size(declared: 11, found: 12))
        #expect(problem([], 0) == .count(0))
        #expect(problem((0...UploadRecord.maximumParts).map { "p\($0)" }, 1) == .count(UploadRecord.maximumParts + 1))
    }
}
