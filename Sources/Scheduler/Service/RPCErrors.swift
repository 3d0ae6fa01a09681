import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores

/// The errors that callers get, with what the REST API says of them in `ErrorInfo`.
enum RPCErrors {
    /// Type URL of `ErrorInfo` in a status.
    private static let infoType = "type.googleapis.com/backfill.v1.ErrorInfo"

    static func make(
        _ code: RPCStatus.Code,
        _ message: String,
        reason: String = "",
        param: String = "",
        retryAfterMilliseconds: UInt32 = 0
    ) -> RPCError {
        let info = ErrorInfo(reason: reason, param: param, retryAfterMilliseconds: retryAfterMilliseconds)
        let details = (try? info.serialized()).map { [Envelope.AnyMessage(typeURL: Self.infoType, value: $0)] } ?? []
        return RPCError(code: code, message: message, details: details)
    }

    static let tooManyUploads = Self.make(
        .unavailable,
        "Too many uploads are under way: try again in a moment.",
        reason: "too_many_uploads",
        retryAfterMilliseconds: 1_000
    )

    static func fileTooLarge(limit: Int64) -> RPCError {
        self.make(
            .resourceExhausted,
            "The file is larger than \(limit) bytes (\(limit >> 20) MiB), the most for this purpose.",
            reason: "file_too_large",
            param: "file"
        )
    }

    static func noSuchFile(_ id: String, param: String) -> RPCError {
        self.make(.notFound, "No such File object: \(Self.shown(id))", reason: "file_not_found", param: param)
    }

    static func noSuchUpload(_ id: String) -> RPCError {
        self.make(
            .notFound,
            "No such upload: \(Self.shown(id)). It may have expired: begin again.",
            reason: "upload_not_found",
            param: "upload_id"
        )
    }

    static func noSuchBatch(_ id: String) -> RPCError {
        self.make(.notFound, "No such Batch object: \(Self.shown(id))", reason: "batch_not_found", param: "batch_id")
    }

    /// A create is repeated whose batch its tenant has deleted since: it is not made twice, and there is none to show.
    static func deletedBatch(_ id: String) -> RPCError {
        self.make(
            .notFound,
            "This Idempotency-Key has made the batch \(id), which was deleted since: use a new key for a new batch.",
            reason: "batch_not_found",
            param: "Idempotency-Key"
        )
    }

    /// A retry would fail as the batch did.
    static let invalidInput = Self.make(
        .failedPrecondition,
        "The batch's input is not valid or cannot be read: correct the file and create a batch of it.",
        reason: "invalid_input_file",
        param: "input_file_id"
    )

    static func invalid(_ param: String, _ message: String) -> RPCError {
        self.make(.invalidArgument, message, reason: "invalid_value", param: param)
    }

    static func store(_ error: StoreError) -> RPCError {
        switch error {
        case .conflict:
            self.make(.aborted, "Somebody else changed the object: try again.", retryAfterMilliseconds: 100)
        case .fenced:
            self.make(
                .unavailable,
                "This scheduler lost its lease: try again.",
                reason: "lease_lost",
                retryAfterMilliseconds: 1_000
            )
        case .gone(let key): self.gone(key)
        case .unreadable:
            self.make(.dataLoss, "The stored object cannot be read.", reason: "unreadable")
        case .tooManyAnswers(let seconds):
            self.make(
                .resourceExhausted,
                "Too many Idempotency-Keys were used in 24 hours (\(RememberedAnswer.maximumLive)): the oldest ends in"
                    + " \(seconds) seconds. Use fewer, or create without a key.",
                reason: "too_many_idempotency_keys",
                param: "Idempotency-Key",
                retryAfterMilliseconds: UInt32(clamping: seconds * 1_000)
            )
        case .overQuota(let excess): self.quota(excess)
        case .full:
            self.make(.unavailable, "The store has no space left.", reason: "no_space", retryAfterMilliseconds: 10_000)
        case .unavailable:
            self.make(.unavailable, "The store does not answer.", reason: "store_down", retryAfterMilliseconds: 1_000)
        case .damaged:
            self.make(
                .unavailable,
                "The store is damaged.",
                reason: "store_damaged",
                retryAfterMilliseconds: 10_000
            )
        case .broken: self.storeFailed
        }
    }

    private static func gone(_ key: RecordKey) -> RPCError {
        switch key.kind {
        case .file: self.noSuchFile(key.id, param: "file_id")
        case .batch: self.noSuchBatch(key.id)
        case .upload: self.noSuchUpload(key.id)
        case .uploadPart: self.noSuchPart(key.id)
        }
    }

    /// An hour for what only the tenant itself can change.
    private static let quotaMilliseconds: UInt32 = 3_600_000

    private static func quota(_ excess: QuotaExcess) -> RPCError {
        switch excess {
        case .storedBytes(let limit):
            self.make(
                .resourceExhausted,
                "All files together may have \(limit) bytes, and with this one they would have more: delete some.",
                reason: "insufficient_quota",
                param: "file",
                retryAfterMilliseconds: self.quotaMilliseconds
            )
        case .batchesPerHour(let limit, let milliseconds):
            self.make(
                .resourceExhausted,
                "Rate limit reached: \(limit) batches an hour.",
                reason: "rate_limit_exceeded",
                retryAfterMilliseconds: UInt32(clamping: milliseconds)
            )
        case .enqueuedRequests, .enqueuedTokens:
            self.make(
                .resourceExhausted,
                excess.problem?.message ?? "",
                reason: excess.problem?.code ?? "",
                retryAfterMilliseconds: self.quotaMilliseconds
            )
        }
    }

    static func file(_ error: FileError) -> RPCError {
        if let damage = error.damage {
            // The name of the file and not where it is.
            let name = error.path.split(separator: "/").last ?? ""
            return self.make(.dataLoss, "The stored file \(name) \(damage).", reason: "file_damaged")
        }
        if error.isOutOfSpace {
            return self.make(.unavailable, "No space left.", reason: "no_space", retryAfterMilliseconds: 10_000)
        }
        return error.isFatal
            ? self.storeFailed : self.make(.internal, "The data directory is broken.", reason: "io_error")
    }

    /// The scheduler ends and is started again.
    private static let storeFailed = Self.make(
        .unavailable,
        "The store has failed: try again.",
        reason: "store_failed",
        retryAfterMilliseconds: 1_000
    )

    /// Ids come from outside: never a long echo.
    static func shown(_ id: String) -> String {
        id.utf8.count <= 64 ? id : String(id.prefix(64)) + "..."
    }
}

/// Runs a handler and makes its store and file errors the caller's.
func answering<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
    do {
        return try await body()
    } catch let error as StoreError {
        throw RPCErrors.store(error)
    } catch let error as FileError {
        throw RPCErrors.file(error)
    }
}
