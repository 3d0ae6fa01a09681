/// A request to send.
public struct HTTPRequest: Sendable {
    /// The verb.
    public enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// The verb.
    public var method: Method
    /// An http or https URL.
    public var url: String
    /// Header fields; names and values without control bytes. The client writes `Host`, `Accept` and `Content-Length` itself.
    public var headers: [HTTPHeader]
    /// What to send.
    public var body: HTTPRequestBody
    /// How long each phase may take.
    public var limits: TransferLimits
    /// Largest answer body, in bytes.
    public var maximumResponseBytes: Int
    /// Cancelling it cancels the request.
    public var group: TransferGroup?
    /// Resumes and cancels this request alone.
    public var control: TransferControl?
    /// Gets status and header fields of the final answer before any of its body, on the client's thread.
    public var onHead: (@Sendable (_ status: Int, HTTPResponseHeaders) -> Void)?
    /// Takes the answer's body piece by piece, on the client's thread, in place of gathering it; an error ends the
    /// transfer.
    public var onBody: (@Sendable (UnsafeRawBufferPointer) throws -> HTTPBodyAnswer)?
    /// Called on the client's thread at the end of each turn of its loop in which `onHead`, `onBody` or a body's `read` was
    /// called, unless the request has ended by then: for one message to others about all that these did.
    public var onTurn: (@Sendable () -> Void)?

    /// Makes a request.
    public init(
        method: Method,
        url: String,
        headers: [HTTPHeader] = [],
        body: HTTPRequestBody = .none,
        limits: TransferLimits,
        maximumResponseBytes: Int,
        group: TransferGroup? = nil,
        control: TransferControl? = nil,
        onHead: (@Sendable (_ status: Int, HTTPResponseHeaders) -> Void)? = nil,
        onBody: (@Sendable (UnsafeRawBufferPointer) throws -> HTTPBodyAnswer)? = nil,
        onTurn: (@Sendable () -> Void)? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.limits = limits
        self.maximumResponseBytes = maximumResponseBytes
        self.group = group
        self.control = control
        self.onHead = onHead
        self.onBody = onBody
        self.onTurn = onTurn
    }
}

/// A header field.
public struct HTTPHeader: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its value.
    public var value: String

    /// Makes a field.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// Whether neither part could end the field and begin another.
    var isSafe: Bool {
        !self.name.isEmpty && self.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            && self.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}

/// What a request carries.
public enum HTTPRequestBody: Sendable {
    /// Nothing.
    case none
    /// These bytes.
    case bytes([UInt8])
    /// `length` bytes that `fill` writes into a buffer of that size, on the client's thread, once, before the request goes
    /// out; the request fails when it gives less.
    case copied(length: Int, fill: @Sendable (UnsafeMutableRawBufferPointer) throws -> Int?)
    /// `length` bytes that `read` gives piece by piece, on the client's thread: it fills the buffer and returns the
    /// bytes filled, 0 at the end, nil to be asked again after the request's control resumes it.
    case stream(length: Int64, read: @Sendable (UnsafeMutableRawBufferPointer) throws -> Int?)
}

/// What a request does with a piece of its answer.
public enum HTTPBodyAnswer: Sendable {
    /// It has taken the piece.
    case taken
    /// It cannot take it now. The server is held back, and the piece comes again after the request's control resumes it.
    case pause
}

/// How long the phases of a transfer may take; a phase that is over its limit ends the transfer.
public struct TransferLimits: Sendable, Hashable {
    /// Until connected, TLS included.
    public var connect: Duration
    /// From the start until the first byte of the answer.
    public var firstByte: Duration
    /// Between two pieces of the answer; also how long the request itself may pause the transfer.
    public var betweenBytes: Duration
    /// In all; nil: as long as it takes.
    public var total: Duration?

    /// Sets the limits.
    public init(connect: Duration, firstByte: Duration, betweenBytes: Duration, total: Duration?) {
        self.connect = connect
        self.firstByte = firstByte
        self.betweenBytes = betweenBytes
        self.total = total
    }
}
