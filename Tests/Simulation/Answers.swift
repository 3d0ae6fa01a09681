import ProtoMessages
import ProtoRPC

extension RPCError {
    /// What the REST API calls it.
    var reason: String {
        self.details.first.flatMap { try? ErrorInfo(serialized: $0.value) }?.reason ?? ""
    }

    /// Whether a stored file is not what was written.
    var tellsOfDamage: Bool {
        self.code == .dataLoss && self.reason == "file_damaged"
    }

    /// Whether the same call may succeed later; what it did is not known.
    var isTransient: Bool {
        switch self.code {
        case .unavailable, .deadlineExceeded, .aborted, .internal, .cancelled, .resourceExhausted: true
        default: false
        }
    }
}

extension ProtoMessages.BatchStatus {
    /// As the REST API spells it.
    var name: String {
        switch self {
        case .validating: "validating"
        case .inProgress: "in_progress"
        case .finalizing: "finalizing"
        case .cancelling: "cancelling"
        case .completed: "completed"
        case .failed: "failed"
        case .expired: "expired"
        case .cancelled: "cancelled"
        default: "unknown"
        }
    }

    var isTerminal: Bool {
        switch self {
        case .completed, .failed, .expired, .cancelled: true
        default: false
        }
    }

    var isPausable: Bool { self == .validating || self == .inProgress }
}
