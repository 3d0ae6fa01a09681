public import ProtoMessages

extension JSON {
    /// The REST API's Batch (A1-02) with all keys present, those without a value as `null` (A1-03).
    ///
    /// When the scheduler says why a batch waits, the key `backfill` is added.
    ///
    /// - Throws: 500 when the scheduler names a status that the API does not have (A1-04).
    public init(_ batch: Batch) throws(APIError) {
        guard let status = batch.status.name else { throw .internalError }
        var members: [(String, JSON)] = [
            ("id", .string(batch.id)),
            ("object", .string("batch")),
            ("endpoint", .string(batch.endpoint)),
            ("model", .text(batch.model)),
            ("errors", .errors(batch.errors, omitted: batch.errorsOmitted)),
            ("input_file_id", .string(batch.inputFileID)),
            ("completion_window", .string(batch.completionWindow)),
            ("status", .string(status)),
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
        ]
        if !batch.waitingReason.isEmpty {
            members.append(("backfill", .object([("waiting_reason", .string(batch.waitingReason))])))
        }
        self = .object(members)
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

extension BatchStatus {
    /// The REST API's word (A1-04); nil for a status that it does not have.
    var name: String? {
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
