import GatewayAPI
import GatewayAccess

/// What one request changed, or tried to: who, what, and what came of it. Never a payload or a key.
struct AuditEntry: Sendable, Equatable {
    /// What came of it, as far as the gateway knows.
    enum Outcome: String, Sendable {
        case done
        case refused
        /// The scheduler did not say: it may have happened.
        case unknown
    }

    var caller: Caller
    /// Such as `batch.create`.
    var action: String
    /// Id of the object; nil when none was made.
    var objectID: String?
    var method: String
    /// Status of the answer, whether or not the client was there to read it.
    var status: Int
    var requestID: String

    var outcome: Outcome {
        switch status {
        case ..<400: .done
        case ..<500: .refused
        default: .unknown
        }
    }

    /// The fields, in the order in which they are written.
    var fields: [(name: String, value: JSON)] {
        [
            ("action", .string(self.action)), ("object", .optional(self.objectID)),
            ("outcome", .string(self.outcome.rawValue)), ("status", .integer(Int64(self.status))),
            ("tenant", .string(self.caller.tenant)), ("project", .optional(self.caller.project)),
            ("key", .optional(self.caller.keyName)), ("method", .string(self.method)),
            ("request_id", .string(self.requestID)),
        ]
    }
}

extension JSON {
    fileprivate static func optional(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
}
