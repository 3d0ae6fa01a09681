import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

// MARK: - Results of a batch that runs

extension BatchesHandlers {
    /// Most bytes of one answer.
    static let maximumResultBytes = 256 << 10

    func readResults(_ request: ReadResultsRequest, _ tenant: String) async throws -> ReadResultsResponse {
        let batch = try await self.batch(request.batchID, tenant)
        guard !batch.status.isTerminal else { return ReadResultsResponse(isEnd: true, hasEnded: true) }
        guard let line = Int(exactly: request.line), let offset = Int(exactly: request.offset) else {
            throw RPCErrors.invalid("line", "The position is out of range.")
        }
        guard let results = self.runner.results(of: batch.id) else {
            return try await self.notRunning(batch, line, offset)
        }
        let count = min(max(Int(request.maximumBytes), 1), Self.maximumResultBytes)
        let read: (bytes: [UInt8], next: EarlyResults.Position, isEnd: Bool)
        do {
            read = try await self.bytes.threads.run {
                try results.read(from: .init(line: line, offset: offset), maximumBytes: count)
            }
        } catch let error as UnreadableInput {
            throw RPCErrors.make(
                .dataLoss,
                "The stored input file cannot be read: \(error.reason).",
                reason: "input_file_damaged"
            )
        }
        return ReadResultsResponse(
            data: ByteBuffer(bytes: read.bytes),
            nextLine: UInt64(read.next.line),
            nextOffset: UInt64(read.next.offset),
            isEnd: read.isEnd
        )
    }

    /// The batch does not run here: it has nothing yet, or another scheduler has what there is.
    private func notRunning(_ batch: BatchRecord, _ line: Int, _ offset: Int) async throws -> ReadResultsResponse {
        let nothing = ReadResultsResponse(nextLine: UInt64(line), nextOffset: UInt64(offset), isEnd: true)
        guard batch.times.inProgressAt != nil else { return nothing }
        // The counts that are stored are of a moment ago: only the batch's owner knows that it has nothing.
        let owner = try await self.store.ownership().claims[ClaimKey.batch(batch.id)]
        let isElsewhere = owner != nil && owner != self.inputs.ownership.owner
        guard isElsewhere || batch.counts.completed + batch.counts.failed > 0 else { return nothing }
        throw RPCErrors.make(
            .unavailable,
            "The batch runs at another scheduler, or is being taken up: try again in a moment.",
            reason: "results_elsewhere",
            retryAfterMilliseconds: 1_000
        )
    }
}
