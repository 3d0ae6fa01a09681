public import ProtoMessages

/// A call that did not succeed.
public struct RPCError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public var code: RPCStatus.Code
    /// For people; goes over the wire, so it holds neither payload nor secrets.
    public var message: String
    /// Typed details that travel with the status.
    public var details: [Envelope.AnyMessage]
    /// True when the call provably did not reach the server, so that it may be made again whatever it does. Set by the
    /// client; not sent over the wire.
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
    static func protocolViolation(_ message: String) -> RPCError {
        RPCError(code: .invalidArgument, message: message)
    }
}
