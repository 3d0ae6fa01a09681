/// The life of an upload in parts (A8): each event either gives the next record or says why it does not apply.
///
/// The caller persists the record with compare-and-swap before it acts on it or tells anybody.
public struct UploadStateMachine: Sendable, Equatable {
    /// The record as it stands.
    public private(set) var record: UploadRecord

    /// Takes up a stored record.
    public init(_ record: UploadRecord) {
        self.record = record
    }

    /// What an event came to.
    public enum Outcome: Sendable, Equatable {
        /// The record changed; persist it.
        case changed
        /// The event says what is already so.
        case unchanged
        /// The event does not apply.
        case refused(Refusal)
    }

    /// Why an event does not apply.
    public enum Refusal: Error, Sendable, Equatable {
        /// The upload has ended.
        case ended(UploadRecord.Status)
        /// It has as many parts as it may.
        case tooManyParts
        /// Its parts have as many bytes as they may.
        case tooManyBytes
    }

    /// The bytes of a part are durable: it belongs to the upload from now on (A8-02).
    public mutating func partAdded(bytes: Int64, at now: Int64) -> Outcome {
        // Not while an expired upload is still being completed either.
        guard self.record.status == .pending, now < self.record.expiresAt else { return self.refusal(at: now) }
        guard self.record.parts < UploadRecord.maximumParts else { return .refused(.tooManyParts) }
        guard bytes <= self.record.maximumReceivedBytes - self.record.receivedBytes else {
            return .refused(.tooManyBytes)
        }
        self.record.parts += 1
        self.record.receivedBytes += bytes
        self.record.holdsParts = true
        return .changed
    }

    /// Parts are about to be composed, which may take longer than the upload still has.
    /// - Parameter completion: tells this request from others.
    public mutating func completionBegan(_ completion: String, at now: Int64) -> Outcome {
        guard self.record.status(at: now) == .pending else { return self.repeated(completion, at: now) }
        self.record.composingUntil = max(self.record.composingUntil ?? .min, now + UploadRecord.compositionSeconds)
        return .changed
    }

    /// Nothing came of a completion; the upload is as before (A8-03).
    public mutating func completionFailed() -> Outcome {
        guard self.record.status == .pending, self.record.composingUntil != nil else { return .unchanged }
        self.record.composingUntil = nil
        return .changed
    }

    /// The parts are composed and durable: the upload is a file (A8-03).
    public mutating func composed(_ completion: String, as fileID: String, at now: Int64) -> Outcome {
        guard self.record.status == .pending else { return self.repeated(completion, at: now) }
        self.record.fileID = fileID
        self.record.completion = completion
        self.end(.completed, at: now)
        return .changed
    }

    /// The client wants no file (A8-04).
    public mutating func cancelRequested(at now: Int64) -> Outcome {
        switch self.record.status(at: now) {
        case .pending:
            self.end(.cancelled, at: now)
            return .changed
        case .cancelled: return .unchanged
        case .completed, .expired: return self.refusal(at: now)
        }
    }

    /// The sweep has come by.
    public mutating func swept(at now: Int64) -> Outcome {
        guard self.record.status == .pending, self.record.status(at: now) == .expired else { return .unchanged }
        self.end(.expired, at: now)
        return .changed
    }

    /// The parts of an upload that has ended are gone.
    public mutating func partsRemoved() -> Outcome {
        guard self.record.status != .pending, self.record.holdsParts else { return .unchanged }
        self.record.holdsParts = false
        return .changed
    }

    /// The same request again, after a lost answer, is no error.
    private func repeated(_ completion: String, at now: Int64) -> Outcome {
        self.record.status == .completed && self.record.completion == completion ? .unchanged : self.refusal(at: now)
    }

    private func refusal(at now: Int64) -> Outcome {
        let status = self.record.status
        return .refused(.ended(status == .pending ? .expired : status))
    }

    private mutating func end(_ status: UploadRecord.Status, at now: Int64) {
        self.record.status = status
        self.record.composingUntil = nil
        // A wall clock that was set back must not make the end look earlier than the beginning (A1-05).
        self.record.endedAt = max(self.record.createdAt, now)
    }
}
