/// Writes the head of a request, and a body that is there (RFC 9112, 3 and 6).
enum RequestWriter {
    /// Appends a request.
    /// - Throws: `callback` when the body cannot be filled in.
    static func write(
        _ request: HTTPRequest,
        to target: RequestTarget,
        into bytes: inout OutgoingBytes
    ) throws(HTTPTransferError) {
        bytes.append(request.method.rawValue)
        bytes.append(target.head)
        if !target.authorization.isEmpty, !request.headers.contains(where: { $0.name.lowercased() == "authorization" })
        {
            bytes.append(target.authorization)
        }
        for header in request.headers {
            bytes.append(header.name)
            bytes.append(": ")
            bytes.append(header.value)
            bytes.append("\r\n")
        }
        bytes.append("Accept: */*\r\n")
        switch request.body {
        case .none:
            // A POST says that it has no body; the others have none by themselves (RFC 9110, 8.6).
            bytes.append(request.method == .post || request.method == .put ? "Content-Length: 0\r\n\r\n" : "\r\n")
        case .bytes(let body):
            Self.endHead(bodyBytes: Int64(body.count), &bytes)
            bytes.append(body)
        case .copied(let length, let fill):
            let count = max(length, 0)
            Self.endHead(bodyBytes: Int64(count), &bytes)
            guard (try? bytes.fill(upTo: count, fill)) == count else {
                throw HTTPTransferError(.callback, mayHaveBeenSent: false, message: "the request body is not there")
            }
        case .stream(let length, _):
            Self.endHead(bodyBytes: max(length, 0), &bytes)
        }
    }

    private static func endHead(bodyBytes: Int64, _ bytes: inout OutgoingBytes) {
        bytes.append("Content-Length: ")
        bytes.append(String(bodyBytes))
        bytes.append("\r\n\r\n")
    }
}
