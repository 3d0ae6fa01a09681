import ProtoMessages

/// How far a batch is and when it may end.
struct BatchProgress: Equatable {
    /// Requests that are done, of 100, to a tenth.
    let percent: Double
    /// When the last request would be done at the pace so far, in Unix seconds, at most the end of the window; nil: not
    /// known, or nothing runs.
    let estimatedCompletionAt: Int64?

    /// - Parameter now: Unix seconds.
    init(_ batch: Batch, now: Int64) {
        let counts = batch.requestCounts ?? RequestCounts()
        let (done, overflow) = counts.completed.addingReportingOverflow(counts.failed)
        let share = counts.total == 0 || overflow ? 0 : min(Double(done) / Double(counts.total), 1)
        self.percent = (share * 1_000).rounded(.down) / 10
        guard batch.status == .inProgress, batch.pausedAt == nil, share > 0, share < 1,
            let start = batch.inProgressAt, now > start
        else {
            self.estimatedCompletionAt = nil
            return
        }
        let left = (Double(now) - Double(start)) * (1 - share) / share
        self.estimatedCompletionAt = min(Int64(min(Double(now) + left, 1e15)), max(batch.expiresAt, now))
    }
}
