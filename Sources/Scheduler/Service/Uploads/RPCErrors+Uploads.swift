import ProtoRPC
import SchedulerCore

extension RPCErrors {
    static let partTooLarge = Self.make(
        .resourceExhausted,
        "A part has at most \(UploadPartRecord.maximumBytes) bytes (\(UploadPartRecord.maximumBytes >> 20) MiB).",
        reason: "part_too_large",
        param: "data"
    )

    static let tooManyPendingUploads = Self.make(
        .resourceExhausted,
        "You have \(UploadRecord.maximumLive) uploads that have not ended: complete or cancel some.",
        reason: "too_many_pending_uploads",
        retryAfterMilliseconds: 60_000
    )

    static let tooManyCompletions = Self.make(
        .unavailable,
        "Too many uploads are being completed: try again in a moment.",
        reason: "too_many_completions",
        retryAfterMilliseconds: 1_000
    )

    static let completionStopped = Self.make(
        .unavailable,
        "The scheduler is stopping: complete the upload again.",
        reason: "service_unavailable",
        retryAfterMilliseconds: 1_000
    )

    static let wrongMD5 = Self.make(
        .invalidArgument,
        "The parts in this order do not have the MD5 that was given. The upload is still pending.",
        reason: "md5_mismatch",
        param: "md5"
    )

    static func uploadTooLarge(_ purpose: FilePurpose) -> RPCError {
        let limit = purpose.maximumUploadBytes
        return self.make(
            .invalidArgument,
            "A file with the purpose '\(purpose.rawValue)' has at most \(limit) bytes (\(limit >> 20) MiB).",
            reason: "file_too_large",
            param: "bytes"
        )
    }

    static func noSuchPart(_ id: String) -> RPCError {
        self.make(
            .notFound,
            "No such part: \(Self.shown(id)). It may have expired: send it again.",
            reason: "upload_not_found"
        )
    }

    static func refused(_ refusal: UploadStateMachine.Refusal, _ id: String) -> RPCError {
        switch refusal {
        case .ended(let status):
            self.make(
                .failedPrecondition,
                "The upload \(Self.shown(id)) is \(status.rawValue).",
                reason: "upload_\(status.rawValue)",
                param: "upload_id"
            )
        case .tooManyParts:
            self.make(
                .failedPrecondition,
                "The upload has \(UploadRecord.maximumParts) parts, the most there may be.",
                reason: "too_many_parts",
                param: "upload_id"
            )
        case .tooManyBytes:
            self.make(
                .failedPrecondition,
                "The upload's parts together have twice the bytes that were declared.",
                reason: "too_many_bytes",
                param: "data"
            )
        }
    }

    static func selection(_ problem: PartSelection.Problem) -> RPCError {
        switch problem {
        case .count(let count):
            self.invalid(
                "part_ids",
                "Name 1 to \(UploadRecord.maximumParts) parts; there are \(count)."
            )
        case .repeated(let id): self.parts("The part \(Self.shown(id)) is named twice.", "duplicate_part")
        case .unknown(let id): self.parts("The upload has no part \(Self.shown(id)).", "part_not_found")
        case .size(let declared, let found):
            self.parts(
                "The parts have \(found) bytes together; \(declared) were declared. The upload is still pending.",
                "size_mismatch"
            )
        }
    }

    private static func parts(_ message: String, _ reason: String) -> RPCError {
        self.make(.invalidArgument, message, reason: reason, param: "part_ids")
    }
}
