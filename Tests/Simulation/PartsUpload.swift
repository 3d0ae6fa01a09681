import ProtoMessages
import ProtoRPC

/// An upload in parts as its client does it, and what it must come to (A8): parts go up side by side to any scheduler, are
/// sent again when it is not known what became of them, and are composed, cancelled or forgotten.
final class PartsUpload: @unchecked Sendable {
    // Guard: only the main thread touches it.

    private static let mostParts: Int64 = 6

    let filename: String
    private let content: [UInt8]
    private let calls: Workload
    private(set) var id = ""
    /// Unix seconds.
    private var expiresAt: Int64 = 0
    /// Asked for, and answered.
    private var cancelWasAsked = false
    private(set) var isCancelled = false
    private var completionWasAsked = false
    private(set) var fileID: String?

    private var world: World { self.calls.world }
    private var cluster: Cluster { self.calls.cluster }

    init(_ content: [UInt8], as filename: String, calls: Workload) {
        self.content = content
        self.filename = filename
        self.calls = calls
    }

    /// The file; nil: it is to be uploaded anew.
    func run() async -> File? {
        let request = CreateUploadRequest(
            filename: self.filename,
            purpose: "batch",
            bytes: UInt64(self.content.count),
            mimeType: "application/jsonl"
        )
        guard case .success(let response) = await self.calls.call(UploadsService.createUpload, request),
            let upload = response.upload
        else { return nil }
        self.id = upload.id
        self.expiresAt = upload.expiresAt
        if self.world.chance(0.1) { self.calls.start { await self.cancelSoon() } }
        guard let parts = await self.sendParts() else { return nil }
        if self.world.chance(0.05) { return nil }
        // Until its time is over, or about.
        if self.world.chance(0.04) {
            await self.calls.wait(Int64(self.cluster.scenario.uploadLifetime / .milliseconds(1)) - 20_000)
            await self.calls.wait(self.world.random(0...40_000))
        }
        if self.world.chance(0.08) { self.cluster.damage.hit(parts: parts) }
        if self.world.chance(0.2) { await self.completeWrongly(parts) }
        return await self.complete(parts)
    }

    // MARK: - Parts

    /// Ids of the parts in the order of the file; nil when the upload takes none any more.
    private func sendParts() async -> [String]? {
        let pieces = self.pieces()
        return await withTaskGroup(of: (Int, String?).self) { group in
            for (index, piece) in pieces.enumerated() {
                group.addTask { (index, await self.sendPart(piece)) }
                // Nobody asks for it: only what is named is in the file.
                if self.world.chance(0.1) { group.addTask { (pieces.count, await self.sendPart(piece)) } }
            }
            var ids = [String?](repeating: nil, count: pieces.count + 1)
            for await (index, id) in group { ids[index] = id }
            let parts = ids.dropLast().compactMap(\.self)
            return parts.count == pieces.count ? parts : nil
        }
    }

    private func pieces() -> [ArraySlice<UInt8>] {
        let last = Int64(self.content.count) - 1
        let count = self.world.random(1...Self.mostParts)
        let cuts = Set((1..<count).map { _ in Int(self.world.random(0...last)) }).subtracting([0]).sorted()
        return zip([0] + cuts, cuts + [self.content.count]).map { self.content[$0..<$1] }
    }

    /// The id of a part that has the bytes; nil when the upload takes none any more.
    private func sendPart(_ bytes: ArraySlice<UInt8>) async -> String? {
        while true {
            let wasCancelled = self.isCancelled
            switch await self.sendPartOnce(bytes) {
            case .success(let part):
                if wasCancelled { self.cluster.violation("I-02 \(self.id) was cancelled and took \(part.id)") }
                if part.bytes != UInt64(bytes.count) || part.uploadID != self.id {
                    self.cluster.violation("I-01 \(part.id) of \(bytes.count) bytes became \(part)")
                }
                return part.id
            case .failure(let error)
            where error.isTransient || ["upload_closed", "upload_not_found", "size_mismatch"].contains(error.reason):
                await self.calls.wait(self.world.random(50...1_000))
            case .failure(let error):
                self.check(refusal: error, mayBe: ["too_many_bytes"])
                return nil
            }
        }
    }

    private func sendPartOnce(_ bytes: ArraySlice<UInt8>) async -> Result<UploadPart, RPCError> {
        // A part stays with the scheduler that began it.
        let scheduler = self.cluster.someScheduler
        let begin = BeginPartRequest(uploadID: self.id, expectedBytes: UInt64(bytes.count))
        let begun = await self.calls.call(UploadsService.beginPart, begin, at: scheduler)
        guard case .success(let begun) = begun else { return begun.map { _ in UploadPart() } }
        _ = await self.calls.write(bytes, to: begun.partID, at: scheduler)
        let request = CompletePartRequest(partID: begun.partID, bytes: UInt64(bytes.count))
        var answer = await self.calls.call(UploadsService.completePart, request, at: scheduler)
        for _ in 0..<3 {
            guard case .failure(let error) = answer, error.isTransient else { break }
            await self.calls.wait(self.world.random(50...500))
            answer = await self.calls.call(UploadsService.completePart, request, at: scheduler)
        }
        return answer.map { $0.part ?? UploadPart() }
    }

    // MARK: - Ends

    private func complete(_ parts: [String]) async -> File? {
        if self.world.chance(0.15) { self.cluster.crashSoon() }
        guard let upload = await self.compose(parts, mayBe: []) else { return nil }
        guard upload.status == .completed, let file = upload.file, file.bytes == UInt64(self.content.count),
            file.filename == self.filename
        else {
            self.cluster.violation("I-01 \(self.id) of \(self.content.count) bytes was completed as \(upload)")
            return nil
        }
        if self.isCancelled { self.cluster.violation("I-02 \(self.id) was cancelled and completed") }
        self.fileID = file.id
        self.world.coverage.hit(.completedUpload)
        // Again it is the same file, and nothing else any more.
        if self.world.chance(0.3), let again = await self.compose(parts, mayBe: []), again.file?.id != file.id {
            self.cluster.violation("I-03 \(self.id) became \(file.id) and then \(again)")
        }
        if self.world.chance(0.1), parts.count > 1,
            await self.compose(parts.reversed(), mayBe: ["upload_completed"]) != nil
        {
            self.cluster.violation("I-02 \(self.id) was completed in two orders")
        }
        if self.world.chance(0.1) { await self.cancel() }
        return file
    }

    /// The bytes are not those that were declared, or not those of the hash: the upload stays as it is.
    private func completeWrongly(_ parts: [String]) async {
        let isHash = parts.count == 1 || self.world.chance(0.5)
        let reasons = isHash ? ["md5_mismatch"] : ["size_mismatch"]
        let chosen = isHash ? parts : Array(parts.dropLast())
        let md5 = isHash ? String(repeating: "0", count: 32) : ""
        if await self.compose(chosen, md5: md5, mayBe: reasons) != nil {
            self.cluster.violation("I-02 \(self.id) was completed with other bytes")
        }
    }

    /// The completed upload; nil when it was refused.
    private func compose(_ parts: [String], md5: String = "", mayBe reasons: [String]) async -> MultipartUpload? {
        self.completionWasAsked = self.completionWasAsked || reasons.isEmpty
        let request = ComposeUploadRequest(uploadID: self.id, partIds: parts, md5: md5)
        switch await self.calls.persistently(UploadsService.composeUpload, request) {
        case .success(let response): return response.upload ?? MultipartUpload()
        case .failure(let error) where error.tellsOfDamage && self.cluster.damage.hasHit(parts):
            self.world.coverage.hit(.refusedCompletion)
            await self.cancel()
        case .failure(let error): self.check(refusal: error, mayBe: reasons)
        }
        return nil
    }

    private func cancelSoon() async {
        await self.calls.wait(self.world.random(0...2_000))
        await self.cancel()
    }

    private func cancel() async {
        self.cancelWasAsked = true
        switch await self.calls.persistently(UploadsService.cancelUpload, CancelUploadRequest(uploadID: self.id)) {
        case .success(let response):
            if response.upload?.status != .cancelled || self.fileID != nil {
                self.cluster.violation("I-02 \(self.id) became \(response) when it was cancelled")
            }
            if !self.isCancelled { self.world.coverage.hit(.cancelledUpload) }
            self.isCancelled = true
        case .failure(let error): self.check(refusal: error, mayBe: [])
        }
    }

    /// What is refused must have a reason of which the client knows.
    private func check(refusal error: RPCError, mayBe reasons: [String]) {
        let isExpected =
            switch error.reason {
            case "upload_cancelled": self.cancelWasAsked
            case "upload_completed": self.completionWasAsked
            case "upload_expired": self.cluster.mayBeOver(self.expiresAt)
            default: reasons.contains(error.reason)
            }
        if error.reason == "upload_expired" { self.world.coverage.hit(.expiredUpload) }
        if !isExpected { self.cluster.violation("I-01 \(self.id) was refused: \(error)") }
    }
}
