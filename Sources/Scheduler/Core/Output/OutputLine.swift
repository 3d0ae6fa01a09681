import JSONSpans

/// Writes lines of output and error files (A5-01 to A5-05).
///
/// Ids and bodies are copied as bytes: `customID` is the text between the quotes of the input line, the body is the
/// engine's JSON as it came.
public enum OutputLine {
    /// A line whose engine answered, well or badly.
    public static func answered(
        id: String,
        customID: UnsafeRawBufferPointer,
        status: UInt16,
        requestID: UnsafeRawBufferPointer,
        body: UnsafeRawBufferPointer,
        into bytes: inout [UInt8]
    ) {
        self.start(id: id, customID: customID, into: &bytes)
        bytes.append(contentsOf: #","response":{"status_code":"#.utf8)
        bytes.append(contentsOf: String(status).utf8)
        bytes.append(contentsOf: #","request_id":"#.utf8)
        if requestID.isEmpty {
            JSONString.appendEncoded(id, to: &bytes)
        } else {
            JSONString.appendEncoded(requestID, to: &bytes)
        }
        bytes.append(contentsOf: #","body":"#.utf8)
        bytes.append(contentsOf: body)
        bytes.append(contentsOf: "},\"error\":null}\n".utf8)
    }

    /// A line without an answer; `error` is `{"code":...,"message":...}`.
    public static func failed(
        id: String,
        customID: UnsafeRawBufferPointer,
        error: UnsafeRawBufferPointer,
        into bytes: inout [UInt8]
    ) {
        self.start(id: id, customID: customID, into: &bytes)
        bytes.append(contentsOf: #","response":null,"error":"#.utf8)
        bytes.append(contentsOf: error)
        bytes.append(contentsOf: "}\n".utf8)
    }

    /// The line of a record that was read in place, as part of `bytes`.
    public static func append(
        _ record: ResultRecordView,
        of bytes: UnsafeRawBufferPointer,
        id: String,
        customID: UnsafeRawBufferPointer,
        into target: inout [UInt8]
    ) {
        let body = UnsafeRawBufferPointer(rebasing: bytes[record.body])
        guard record.outcome != .failure else {
            return self.failed(id: id, customID: customID, error: body, into: &target)
        }
        self.answered(
            id: id,
            customID: customID,
            status: record.status,
            requestID: UnsafeRawBufferPointer(rebasing: bytes[record.requestID]),
            body: body,
            into: &target
        )
    }

    private static func start(id: String, customID: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"id":"#.utf8)
        JSONString.appendEncoded(id, to: &bytes)
        bytes.append(contentsOf: #","custom_id":""#.utf8)
        bytes.append(contentsOf: customID)
        bytes.append(UInt8(ascii: "\""))
    }
}

/// The error object of a line without an answer.
public struct LineError: Sendable, Equatable {
    /// Machine-readable.
    public var code: String
    /// For people.
    public var message: String

    /// Makes an error.
    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// The line was not run in time (A5-04).
    public static let expired = LineError(
        code: "batch_expired",
        message: "This request could not be executed before the completion window expired."
    )
    /// The line was not run because the batch was cancelled (A5-05).
    public static let cancelled = LineError(
        code: "batch_cancelled",
        message: "This request was not executed because the batch was cancelled."
    )

    /// `{"code":...,"message":...}`.
    public var json: [UInt8] {
        var bytes = Array(#"{"code":"#.utf8)
        JSONString.appendEncoded(self.code, to: &bytes)
        bytes.append(contentsOf: #","message":"#.utf8)
        JSONString.appendEncoded(self.message, to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
