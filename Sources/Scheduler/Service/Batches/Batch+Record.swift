import ProtoMessages
import SchedulerCore

extension Batch {
    /// The stored batch as callers see it.
    init(_ record: BatchRecord) {
        self.init(
            id: record.id,
            endpoint: record.endpoint,
            model: record.model ?? "",
            inputFileID: record.inputFileID,
            completionWindow: record.completionWindow,
            status: ProtoMessages.BatchStatus(record.status),
            outputFileID: record.hasOutput ? record.outputFileID : "",
            errorFileID: record.hasErrors ? record.errorFileID : "",
            createdAt: record.times.createdAt,
            expiresAt: record.times.expiresAt,
            inProgressAt: record.times.inProgressAt,
            finalizingAt: record.times.finalizingAt,
            completedAt: record.times.completedAt,
            failedAt: record.times.failedAt,
            expiredAt: record.times.expiredAt,
            cancellingAt: record.times.cancellingAt,
            cancelledAt: record.times.cancelledAt,
            requestCounts: ProtoMessages.RequestCounts(record.counts),
            usage: Usage(record.usage),
            metadata: record.metadata,
            errors: record.problems.map(BatchError.init),
            errorsOmitted: UInt32(clamping: record.problemsOmitted)
        )
        self.aibrix = record.aibrix.map { AibrixExtension($0) }
        self.waitingReason = record.waitingReason ?? ""
        self.pausedAt = record.pausedAt
        self.retryOf = record.retryOf ?? ""
    }
}

extension ProtoMessages.BatchStatus {
    init(_ status: SchedulerCore.BatchStatus) {
        self =
            switch status {
            case .validating: .validating
            case .failed: .failed
            case .inProgress: .inProgress
            case .finalizing: .finalizing
            case .completed: .completed
            case .expired: .expired
            case .cancelling: .cancelling
            case .cancelled: .cancelled
            }
    }
}

extension ProtoMessages.RequestCounts {
    init(_ counts: SchedulerCore.RequestCounts) {
        self.init(
            total: UInt64(counts.total),
            completed: UInt64(counts.completed),
            failed: UInt64(counts.failed)
        )
    }
}

extension Usage {
    init(_ usage: TokenUsage) {
        self.init(
            inputTokens: UInt64(usage.inputTokens),
            cachedTokens: UInt64(usage.cachedTokens),
            outputTokens: UInt64(usage.outputTokens),
            reasoningTokens: UInt64(usage.reasoningTokens),
            totalTokens: UInt64(usage.totalTokens)
        )
    }
}

extension BatchError {
    init(_ problem: InputProblem) {
        self.init(
            code: problem.code,
            message: problem.message,
            param: problem.param ?? "",
            line: problem.line.map(UInt64.init)
        )
    }
}
