/// Outcome of a call.
public enum RPCStatus {
    /// gRPC's 17 status codes (G3-02), with their numbers on the wire.
    public enum Code: Int32, Sendable, Hashable, CaseIterable {
        /// The call succeeded.
        case ok = 0
        /// The caller gave up.
        case cancelled = 1
        /// An error of no known kind; also any number that is not one of the 17.
        case unknown = 2
        /// The request is wrong whatever the state of the server.
        case invalidArgument = 3
        /// The time for the call is over.
        case deadlineExceeded = 4
        /// What the request names does not exist for this caller.
        case notFound = 5
        /// What the request would create exists.
        case alreadyExists = 6
        /// The caller may not do this.
        case permissionDenied = 7
        /// A limit was reached.
        case resourceExhausted = 8
        /// The state of the server does not allow it; trying again will not help.
        case failedPrecondition = 9
        /// A conflict with another call; trying the whole operation again may help.
        case aborted = 10
        /// A position beyond the end.
        case outOfRange = 11
        /// No such service or method.
        case unimplemented = 12
        /// The server broke.
        case `internal` = 13
        /// The server cannot be reached or takes no calls now; trying again may help.
        case unavailable = 14
        /// Data was lost or is damaged.
        case dataLoss = 15
        /// It is not known who the caller is.
        case unauthenticated = 16
    }
}

extension RPCStatus.Code: CustomStringConvertible {
    /// The code as the field writes it, such as `DEADLINE_EXCEEDED`.
    public var description: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "CANCELLED"
        case .unknown: "UNKNOWN"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .aborted: "ABORTED"
        case .outOfRange: "OUT_OF_RANGE"
        case .unimplemented: "UNIMPLEMENTED"
        case .internal: "INTERNAL"
        case .unavailable: "UNAVAILABLE"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        }
    }
}
