import SchedulerCore
import SchedulerStores
import Testing

extension TestScheduler {
    /// Stores the record of a file of one byte, a batch input unless told otherwise; the byte itself is not placed.
    func storeFile(
        purpose: FilePurpose = .batch,
        expiresAt: Int64? = nil,
        input: InputFileFindings? = nil
    ) async throws -> FileRecord {
        let file = FileRecord(
            id: ObjectID.make(.file, unixMilliseconds: 1, random: 1),
            tenant: "default",
            bytes: 1,
            createdAt: 1,
            expiresAt: expiresAt,
            filename: "a.jsonl",
            purpose: purpose,
            input: input
        )
        try await self.store.apply([.insert(try StoredRecord(file))])
        return file
    }

    /// A batch that is not stored, nor its input; its window is long over.
    static func batch(_ status: BatchStatus) throws -> BatchRecord {
        let window = try #require(CompletionWindow("1m"))
        var batch = BatchRecord(
            id: "batch_000000000000000000000000000000ab",
            tenant: "default",
            endpoint: "/v1/chat/completions",
            inputFileID: "file-000000000000000000000000000000aa",
            completionWindow: window,
            outputFileID: "file-000000000000000000000000000001ab",
            errorFileID: "file-000000000000000000000000000002ab",
            createdAt: 1,
            metadata: [:],
            outputLifetimeSeconds: nil
        )
        batch.status = status
        return batch
    }
}
