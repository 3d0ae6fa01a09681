/// The life of a batch (A4): each event either gives the next record or says why it does not apply.
///
/// The caller persists the record with compare-and-swap before it acts on it or tells anybody.
public struct BatchStateMachine: Sendable, Equatable {
    /// The record as it stands.
    public private(set) var record: BatchRecord

    /// Takes up a stored record.
    public init(_ record: BatchRecord) {
        self.record = record
    }

    /// What an event came to.
    public enum Outcome: Sendable, Equatable {
        /// The record changed; persist it.
        case changed
        /// The event says what is already so.
        case unchanged
        /// The event does not apply in this state.
        case refused
    }

    /// A scheduler takes the batch up: its epoch begins, over the segments found valid.
    public mutating func claimed(segments: [SegmentReference]) -> Outcome {
        guard !self.record.status.isTerminal else { return .refused }
        self.record.epoch += 1
        self.record.segments = segments
        return .changed
    }

    /// The input is good: lines may be sent.
    public mutating func validated(lines: Int, models: [String], at now: Int64) -> Outcome {
        switch self.record.status {
        case .validating:
            self.record.status = .inProgress
            self.record.times.inProgressAt = self.notBefore(self.record.times.createdAt, now)
            self.record.counts.total = lines
            self.record.models = models
            self.record.model = models.count == 1 ? models.first : nil
            self.record.findings = nil
            return .changed
        case .inProgress: return .unchanged
        case .failed, .finalizing, .completed, .expired, .cancelling, .cancelled: return .refused
        }
    }

    /// Lines were done, or nothing moves. Counts never go down (I-06), even when damage cost some lines.
    public mutating func progressed(to counts: RequestCounts, usage: TokenUsage, waitingReason: String?) -> Outcome {
        guard self.record.status != .validating, !self.record.status.isTerminal else { return .refused }
        let before = self.record
        if counts.completed >= before.counts.completed, counts.failed >= before.counts.failed {
            self.record.counts.completed = counts.completed
            self.record.counts.failed = counts.failed
            self.record.usage = usage
        }
        self.record.waitingReason = self.record.pausedAt == nil ? waitingReason : nil
        return self.record == before ? .unchanged : .changed
    }

    /// The input is bad (A1-14), or it can no longer be read.
    public mutating func failed(problems: [InputProblem], omitted: Int, at now: Int64) -> Outcome {
        switch self.record.status {
        case .validating, .inProgress, .finalizing, .cancelling:
            self.record.status = .failed
            self.record.times.failedAt = self.notBefore(self.latestTime, now)
            self.record.problems = problems
            self.record.problemsOmitted = omitted
            self.record.findings = nil
            self.record.ending = nil
            self.record.pausedAt = nil
            self.record.waitingReason = nil
            return .changed
        case .failed, .completed, .expired, .cancelled: return .refused
        }
    }

    /// The client asks for an early end (A4-02, A4-03).
    public mutating func cancelRequested(at now: Int64) -> Outcome {
        switch self.record.status {
        case .validating, .inProgress, .finalizing:
            self.record.status = .cancelling
            self.record.ending = .cancelled
            self.record.pausedAt = nil
            self.record.times.cancellingAt = self.notBefore(self.latestTime, now)
            return .changed
        case .cancelling: return .unchanged
        case .failed, .completed, .expired, .cancelled: return .refused
        }
    }

    /// The client wants no more lines to be sent for now.
    public mutating func pauseRequested(at now: Int64) -> Outcome {
        guard self.record.status == .validating || self.record.status == .inProgress else { return .refused }
        guard self.record.pausedAt == nil else { return .unchanged }
        self.record.pausedAt = self.notBefore(self.latestTime, now)
        self.record.waitingReason = nil
        return .changed
    }

    /// The client wants lines to be sent again.
    public mutating func resumeRequested() -> Outcome {
        guard self.record.status == .validating || self.record.status == .inProgress else { return .refused }
        guard self.record.pausedAt != nil else { return .unchanged }
        self.record.pausedAt = nil
        return .changed
    }

    /// The window is over: nothing more is sent, what is done is delivered (A4-04).
    public mutating func windowEnded(at now: Int64) -> Outcome {
        switch self.record.status {
        case .validating, .inProgress:
            self.record.status = .finalizing
            self.record.ending = .expired
            self.record.pausedAt = nil
            self.record.times.finalizingAt = self.notBefore(self.latestTime, now)
            return .changed
        // Assembling what is done has begun already, and it is bounded.
        case .finalizing, .cancelling: return .unchanged
        case .failed, .completed, .expired, .cancelled: return .refused
        }
    }

    /// Every line has a record: the output is assembled now.
    public mutating func allLinesDone(at now: Int64) -> Outcome {
        switch self.record.status {
        case .inProgress:
            self.record.status = .finalizing
            self.record.pausedAt = nil
            self.record.times.finalizingAt = self.notBefore(self.latestTime, now)
            return .changed
        case .finalizing, .cancelling: return .unchanged
        case .validating, .failed, .completed, .expired, .cancelled: return .refused
        }
    }

    /// Output and error file are durable: the batch ends (A4-05, A5-08).
    public mutating func assembled(_ output: AssembledOutput, at now: Int64) -> Outcome {
        let moment = self.notBefore(self.latestTime, now)
        switch (self.record.status, self.record.ending) {
        case (.finalizing, nil), (.finalizing, .cancelled):
            self.record.status = .completed
            self.record.times.completedAt = moment
        case (.finalizing, .expired):
            self.record.status = .expired
            self.record.times.expiredAt = moment
        case (.cancelling, _):
            self.record.status = .cancelled
            self.record.times.cancelledAt = moment
        case (.validating, _), (.inProgress, _), (.failed, _), (.completed, _), (.expired, _), (.cancelled, _):
            return .refused
        }
        self.record.ending = nil
        self.record.waitingReason = nil
        self.record.findings = nil
        self.record.counts = output.counts
        self.record.usage = output.usage
        self.record.hasOutput = output.counts.completed > 0
        self.record.hasErrors = output.counts.failed > 0
        return .changed
    }

    private var latestTime: Int64 {
        let times = self.record.times
        return [times.inProgressAt, times.finalizingAt, times.cancellingAt].reduce(times.createdAt) {
            max($0, $1 ?? $0)
        }
    }

    /// A wall clock that was set back must not make a later step look earlier (A1-05).
    private func notBefore(_ earlier: Int64, _ now: Int64) -> Int64 { max(earlier, now) }
}

/// What assembling the output files gave.
public struct AssembledOutput: Sendable, Equatable {
    /// Lines in all, in the output file and in the error file.
    public var counts: RequestCounts
    /// Tokens of all answers.
    public var usage: TokenUsage

    /// Makes a result.
    public init(counts: RequestCounts, usage: TokenUsage) {
        self.counts = counts
        self.usage = usage
    }
}
