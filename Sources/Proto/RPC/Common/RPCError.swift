import NIOCore
public import ProtoMessages

/// A call that did not succeed.
public struct RPCError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public var code: RPCStatus.Code
    /// For people; goes over the wire, so it holds neither payload nor secrets.
    public var message: String
    /// Typed details that travel with the status.
    public var details: [Envelope.AnyMessage]
    /// True when the call was provably not run, so that it may be made again whatever it does: it was not sent, or the
    /// server did not accept it or has no such method. Set by the client; not sent over the wire.
    public var notSent: Bool

    /// Makes an error; handlers throw it to answer with that status.
    public init(
        code: RPCStatus.Code,
        message: String,
        details: [Envelope.AnyMessage] = [],
        notSent: Bool = false
    ) {
        self.code = code
        self.message = message
        self.details = details
        self.notSent = notSent
    }
}

extension RPCError: CustomStringConvertible {
    /// Code and message, for the log.
    public var description: String {
        "\(self.code): \(self.message)"
    }
}

extension RPCError {
    /// The error of a response's status. A code that claims success never gets here.
    init(_ status: Envelope.Status) {
        self.init(
            code: RPCStatus.Code(rawValue: status.code) ?? .unknown,
            message: status.message,
            details: status.details
        )
        // A server that has no such method has not run the call.
        self.notSent = self.saysNotAccepted || self.code == .unimplemented
    }

    /// The status that goes over the wire; an error never travels as success.
    var status: Envelope.Status {
        let code = self.code == .ok ? RPCStatus.Code.unknown : self.code
        return Envelope.Status(code: code.rawValue, message: self.message, details: self.details)
    }

    /// A peer crossed a limit.
    static func limit(_ message: String) -> RPCError {
        RPCError(code: .resourceExhausted, message: message)
    }

    /// A peer broke the protocol.
    @usableFromInline static func protocolViolation(_ message: String) -> RPCError {
        RPCError(code: .invalidArgument, message: message)
    }
}

extension RPCError {
    /// The time for a call is over.
    static let deadlineExceeded = RPCError(code: .deadlineExceeded, message: "the deadline has passed")

    private static let infoType = "type.googleapis.com/backfill.v1.ErrorInfo"
    private static let notAcceptedReason = "not_accepted"

    /// The server did not run a call and will not: it may be made elsewhere, whatever it does (G6-05).
    static func notAccepted(_ message: String) -> RPCError {
        let info = try? ErrorInfo(reason: self.notAcceptedReason).serialized()
        let details = info.map { [Envelope.AnyMessage(typeURL: self.infoType, value: $0)] } ?? []
        return RPCError(code: .unavailable, message: message, details: details, notSent: true)
    }

    /// Whether its details say that the call was not accepted.
    var saysNotAccepted: Bool {
        self.code == .unavailable && self.details.contains(where: Self.isNotAccepted)
    }

    /// The error without that: what a handler was told by another server says nothing of its own call.
    var ofHandler: RPCError {
        var error = self
        error.details.removeAll(where: Self.isNotAccepted)
        return error
    }

    private static func isNotAccepted(_ detail: Envelope.AnyMessage) -> Bool {
        detail.typeURL == self.infoType
            && (try? ErrorInfo(serialized: detail.value))?.reason == self.notAcceptedReason
    }
}
