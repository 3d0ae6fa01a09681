public import ProtoMessages

extension JSON {
    /// The REST API's Batch (A1-02) with all keys present, those without a value as `null` (A1-03).
    ///
    /// The key `backfill` is what OpenAI's API does not have: how far the batch is, and why it waits.
    ///
    /// - Parameter now: Unix seconds.
    public init(_ batch: Batch, now: Int64) {
        var members: [(String, JSON)] = [
            ("id", .string(batch.id)),
            ("object", .string("batch")),
            ("endpoint", .string(batch.endpoint)),
            ("model", .text(batch.model)),
            ("errors", .errors(batch.errors, omitted: batch.errorsOmitted)),
            ("input_file_id", .string(batch.inputFileID)),
            ("completion_window", .string(batch.completionWindow)),
            ("status", .string(batch.statusName)),
            ("output_file_id", .text(batch.outputFileID)),
            ("error_file_id", .text(batch.errorFileID)),
            ("created_at", .integer(batch.createdAt)),
            ("in_progress_at", .optional(batch.inProgressAt)),
            ("expires_at", .integer(batch.expiresAt)),
            ("finalizing_at", .optional(batch.finalizingAt)),
            ("completed_at", .optional(batch.completedAt)),
            ("failed_at", .optional(batch.failedAt)),
            ("expired_at", .optional(batch.expiredAt)),
            ("cancelling_at", .optional(batch.cancellingAt)),
            ("cancelled_at", .optional(batch.cancelledAt)),
            ("request_counts", .requestCounts(batch.requestCounts ?? RequestCounts())),
            ("usage", batch.usage.map { .usage($0) } ?? .null),
            ("metadata", .metadata(batch.metadata)),
            ("backfill", .extras(batch, now: now)),
        ]
        if let aibrix = batch.aibrix { members.append(("aibrix", .aibrix(aibrix))) }
        self = .object(members)
    }

    /// Answer to a deletion.
    public static func deletedBatch(id: String) -> JSON {
        .object([("id", .string(id)), ("object", .string("batch")), ("deleted", .bool(true))])
    }

    private static func extras(_ batch: Batch, now: Int64) -> JSON {
        let progress = BatchProgress(batch, now: now)
        return .object([
            ("progress_percent", .number(progress.percent)),
            ("estimated_completion_at", .optional(progress.estimatedCompletionAt)),
            ("paused_at", .optional(batch.pausedAt)),
            ("waiting_reason", .text(batch.waitingReason)),
            ("retry_of", .text(batch.retryOf)),
        ])
    }

    private static func requestCounts(_ counts: RequestCounts) -> JSON {
        .object([
            ("total", .count(counts.total)),
            ("completed", .count(counts.completed)),
            ("failed", .count(counts.failed)),
        ])
    }

    private static func usage(_ usage: Usage) -> JSON {
        .object([
            ("input_tokens", .count(usage.inputTokens)),
            ("input_tokens_details", .object([("cached_tokens", .count(usage.cachedTokens))])),
            ("output_tokens", .count(usage.outputTokens)),
            ("output_tokens_details", .object([("reasoning_tokens", .count(usage.reasoningTokens))])),
            ("total_tokens", .count(usage.totalTokens)),
        ])
    }

    private static func metadata(_ metadata: [String: String]) -> JSON {
        guard !metadata.isEmpty else { return .null }
        return .object(metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }

    private static func errors(_ errors: [BatchError], omitted: UInt32) -> JSON {
        guard !errors.isEmpty || omitted > 0 else { return .null }
        var data = errors.map(Self.error)
        if omitted > 0 {
            data.append(
                .error(BatchError(code: "more_errors", message: "\(omitted) more errors are not shown."))
            )
        }
        return .object([("object", .string("list")), ("data", .array(data))])
    }

    private static func error(_ error: BatchError) -> JSON {
        .object([
            ("code", .string(error.code)),
            ("message", .string(error.message)),
            ("param", .text(error.param)),
            ("line", error.line.map { .count($0) } ?? .null),
        ])
    }
}

extension Batch {
    /// The REST API's word (A1-04). A status of a later scheduler, which the API does not have, is told as the last one
    /// that the batch's times show.
    var statusName: String {
        self.status.name ?? self.statusOfTimes.name ?? "in_progress"
    }

    private var statusOfTimes: BatchStatus {
        let times: [(Int64?, BatchStatus)] = [
            (self.completedAt, .completed), (self.failedAt, .failed), (self.expiredAt, .expired),
            (self.cancelledAt, .cancelled), (self.cancellingAt, .cancelling), (self.finalizingAt, .finalizing),
            (self.inProgressAt, .inProgress),
        ]
        return times.first { $0.0 != nil }?.1 ?? .validating
    }
}

extension BatchStatus {
    /// The REST API's word (A1-04); nil for a status that it does not have.
    fileprivate var name: String? {
        switch self {
        case .validating: "validating"
        case .failed: "failed"
        case .inProgress: "in_progress"
        case .finalizing: "finalizing"
        case .completed: "completed"
        case .expired: "expired"
        case .cancelling: "cancelling"
        case .cancelled: "cancelled"
        default: nil
        }
    }
}
