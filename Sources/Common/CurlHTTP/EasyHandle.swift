import CCurl
import Glibc

/// One libcurl easy handle, used for one transfer after another. What does not change between transfers is set once.
final class EasyHandle {
    /// A request body above this many bytes is not kept for the next transfer.
    private static let keptBodyBytes = 64 << 10
    /// Most bytes reserved because an answer announces them.
    private static let maximumReservedBytes = 1 << 20

    /// Reserved for the header of an answer.
    private static let usualHeaderBytes = 512

    let raw: UnsafeMutableRawPointer
    private(set) var transfer: Transfer?
    /// Where its transfer runs.
    var multi: MultiHandle?

    private unowned let loop: CurlLoop
    private var headerLines = HeaderLines()
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var body: UnsafeMutableRawBufferPointer?
    private var url: String?
    /// The same, taken apart: libcurl would do that for each request.
    private let parsedURL: OpaquePointer
    private var connectMilliseconds: Int64 = -1
    private var methodIsPostWithBytes = false
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    init?(loop: CurlLoop) {
        guard let parsedURL = curl_url() else { return nil }
        guard let raw = curl_easy_init() else {
            curl_url_cleanup(parsedURL)
            return nil
        }
        self.raw = raw
        self.parsedURL = parsedURL
        self.loop = loop
        self.errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        self.setConstants()
    }

    deinit {
        curl_easy_cleanup(self.raw)
        curl_url_cleanup(self.parsedURL)
        self.body?.deallocate()
        self.errorText.deallocate()
    }

    private func setConstants() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_set_long(self.raw, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_long(self.raw, CURLOPT_TCP_NODELAY, 1)
        _ = ccurl_set_long(self.raw, CURLOPT_TCP_KEEPALIVE, 1)
        _ = ccurl_set_long(self.raw, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        _ = ccurl_set_string(self.raw, CURLOPT_PROTOCOLS_STR, "http,https")
        // Otherwise the loop's thread would wait for the look-up of a name that was given up.
        _ = ccurl_set_long(self.raw, CURLOPT_QUICK_EXIT, 1)
        // An empty string, since without it libcurl would take a proxy from the environment.
        _ = ccurl_set_string(self.raw, CURLOPT_PROXY, "")
        _ = ccurl_set_long(self.raw, CURLOPT_FOLLOWLOCATION, 0)
        _ = ccurl_set_long(self.raw, CURLOPT_HTTP09_ALLOWED, 0)
        _ = ccurl_set_pointer(self.raw, CURLOPT_ERRORBUFFER, self.errorText)
        _ = ccurl_set_callback(self.raw, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            EasyHandle.from(context)?.receiveBody(bytes, size * count) ?? 0
        }
        _ = ccurl_set_pointer(self.raw, CURLOPT_WRITEDATA, context)
        _ = ccurl_set_callback(self.raw, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            EasyHandle.from(context)?.receiveHeader(bytes, size * count) ?? 0
        }
        _ = ccurl_set_pointer(self.raw, CURLOPT_HEADERDATA, context)
        _ = ccurl_set_callback(self.raw, CURLOPT_READFUNCTION) { bytes, size, count, context in
            EasyHandle.from(context)?.readBody(bytes, size * count) ?? ccurl_read_abort
        }
        _ = ccurl_set_pointer(self.raw, CURLOPT_READDATA, context)
        _ = ccurl_set_prerequest(self.raw) { context, _, _, _, _ in
            EasyHandle.from(context)?.mayWriteRequest() ?? false ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }
        _ = ccurl_set_pointer(self.raw, CURLOPT_PREREQDATA, context)
        self.loop.watchConnections(of: self.raw)
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> EasyHandle? {
        // The handle outlives its transfers: the loop holds it as long as libcurl can call.
        context.map { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue() }
    }
}

// MARK: - Before

extension EasyHandle {
    /// Sets what is particular to a transfer.
    func prepare(_ transfer: Transfer) throws(HTTPTransferError) {
        let request = transfer.request
        try self.setURL(request.url)
        guard self.headerLines.write(request.headers) else { throw Self.unsendable("header field") }
        if self.headerList != self.headerLines.list {
            self.headerList = self.headerLines.list
            _ = ccurl_set_list(self.raw, CURLOPT_HTTPHEADER, self.headerList)
        }
        self.transfer = transfer
        transfer.handle = self
        let connect = max(request.limits.connect.wholeMilliseconds, 1)
        if self.connectMilliseconds != connect {
            _ = ccurl_set_long(self.raw, CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: connect))
            self.connectMilliseconds = connect
        }
        try self.setBody(request)
    }

    private func setURL(_ url: String) throws(HTTPTransferError) {
        guard self.url != url else { return }
        self.url = nil
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw Self.unsendable("URL") }
        // What schemes there may be says CURLOPT_PROTOCOLS_STR.
        let code = curl_url_set(self.parsedURL, CURLUPART_URL, url, UInt32(CURLU_NON_SUPPORT_SCHEME))
        guard code == CURLUE_OK else {
            let reason = curl_url_strerror(code).map { String(cString: $0) } ?? "error \(code.rawValue)"
            throw HTTPTransferError(.invalidRequest, mayHaveBeenSent: false, message: "the URL is bad: \(reason)")
        }
        _ = ccurl_set_string(self.raw, CURLOPT_URL, url)
        _ = ccurl_set_pointer(self.raw, CURLOPT_CURLU, UnsafeRawPointer(self.parsedURL))
        self.url = url
    }

    private static func unsendable(_ part: String) -> HTTPTransferError {
        HTTPTransferError(
            .invalidRequest,
            mayHaveBeenSent: false,
            message: "the \(part) holds bytes that cannot be sent"
        )
    }

    private func setBody(_ request: HTTPRequest) throws(HTTPTransferError) {
        if request.method == .post, try self.copyBody(request.body) {
            if !self.methodIsPostWithBytes {
                _ = ccurl_set_string(self.raw, CURLOPT_CUSTOMREQUEST, nil)
                _ = ccurl_set_long(self.raw, CURLOPT_POST, 1)
                self.methodIsPostWithBytes = true
            }
            return
        }
        self.methodIsPostWithBytes = false
        switch request.body {
        case .none:
            _ = ccurl_set_long(self.raw, CURLOPT_HTTPGET, 1)
            _ = ccurl_set_long(self.raw, CURLOPT_NOBODY, request.method == .head ? 1 : 0)
        case .bytes, .copied:
            _ = ccurl_set_long(self.raw, CURLOPT_POST, 1)
            _ = try self.copyBody(request.body)
        case .stream(let length, _):
            _ = ccurl_set_long(self.raw, CURLOPT_POST, 1)
            _ = ccurl_set_pointer(self.raw, CURLOPT_POSTFIELDS, nil)
            _ = ccurl_set_offset(self.raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(length))
        }
        _ = ccurl_set_string(self.raw, CURLOPT_CUSTOMREQUEST, request.method == .head ? nil : request.method.rawValue)
    }

    /// libcurl does not copy the body, so it lives in memory of this handle until the next transfer. Gives false when the
    /// body is not there yet.
    private func copyBody(_ body: HTTPRequestBody) throws(HTTPTransferError) -> Bool {
        let count: Int
        switch body {
        case .none, .stream: return false
        case .bytes(let bytes):
            count = bytes.count
            self.bodyMemory(count).copyBytes(from: bytes)
        case .copied(let length, let fill):
            count = max(length, 0)
            let buffer = UnsafeMutableRawBufferPointer(rebasing: self.bodyMemory(count).prefix(count))
            guard (try? fill(buffer)) == count else {
                throw HTTPTransferError(.callback, mayHaveBeenSent: false, message: "the request body is not there")
            }
        }
        _ = ccurl_set_offset(self.raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(count))
        _ = ccurl_set_pointer(self.raw, CURLOPT_POSTFIELDS, self.body?.baseAddress)
        return true
    }

    /// Memory for a body of so many bytes.
    private func bodyMemory(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if let body = self.body, body.count >= count { return body }
        self.body?.deallocate()
        let body = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 2_048), alignment: 16)
        self.body = body
        return body
    }

    /// Lets go of the transfer.
    func reset() {
        self.transfer?.handle = nil
        self.transfer = nil
        if let body = self.body, body.count > Self.keptBodyBytes {
            _ = ccurl_set_pointer(self.raw, CURLOPT_POSTFIELDS, nil)
            body.deallocate()
            self.body = nil
        }
    }
}

// MARK: - Callbacks

extension EasyHandle {
    /// Called when there is a connection, before the request is written to it. libcurl would write it again, up to five
    /// times, when a used connection ends before an answer; whether a request may run twice is for the caller to decide.
    private func mayWriteRequest() -> Bool {
        guard let transfer else { return false }
        guard !transfer.wasWritten else {
            _ = self.fail(.emptyReply, "the connection was closed before an answer came")
            return false
        }
        transfer.wasWritten = true
        return true
    }

    private func fail(_ code: HTTPTransferError.Code, _ message: String) -> Int {
        self.transfer?.failure = HTTPTransferError(code, mayHaveBeenSent: true, message: message)
        return 0
    }

    private func receiveHeader(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard let transfer, let bytes else { return 0 }
        let line = UnsafeRawBufferPointer(start: bytes, count: count)
        transfer.hasFirstByte = true
        transfer.lastByteAt = self.loop.now
        transfer.headerBytes += count
        guard transfer.headerBytes <= HTTPResponseHeaders.maximumBytes else {
            return self.fail(
                .malformedResponse,
                "the answer's header is larger than \(HTTPResponseHeaders.maximumBytes) bytes"
            )
        }
        // Trailers are nobody's.
        guard !transfer.hasHead else { return count }
        // An interim answer's header gives way to the final one's.
        if transfer.headers.raw.isEmpty {
            transfer.headers.raw.reserveCapacity(Self.usualHeaderBytes)
        } else if line.starts(with: "HTTP/".utf8) {
            transfer.headers.raw.removeAll(keepingCapacity: true)
        }
        transfer.headers.raw.append(contentsOf: line)
        if line.first == 0x0D || line.first == 0x0A { self.headerEnded(transfer) }
        return count
    }

    /// The empty line behind a header; that of an interim answer is nobody's.
    private func headerEnded(_ transfer: Transfer) {
        let status = self.status
        guard status >= 200 else { return }
        transfer.hasHead = true
        self.loop.touch(transfer)
        transfer.request.onHead?(status, transfer.headers)
        // libcurl sends no more to a server that has refused the request, but would wait for the pause to end.
        if status >= 300, transfer.pausedAt != nil { self.loop.resume(transfer) }
    }

    private func receiveBody(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard let transfer, let bytes else { return 0 }
        let piece = UnsafeRawBufferPointer(start: bytes, count: count)
        transfer.lastByteAt = self.loop.now
        if transfer.bodyBytes == 0, !self.announcedSizeFits(transfer) { return self.failTooLarge(transfer) }
        guard transfer.bodyBytes + count <= transfer.request.maximumResponseBytes else {
            return self.failTooLarge(transfer)
        }
        guard let onBody = transfer.request.onBody else { return self.gather(piece, transfer) }
        self.loop.touch(transfer)
        do {
            switch try onBody(piece) {
            case .taken:
                transfer.bodyBytes += count
                return count
            case .pause:
                transfer.pausedAt = self.loop.now
                return ccurl_write_pause
            }
        } catch {
            return self.fail(.callback, "the answer could not be taken: \(error)")
        }
    }

    /// Keeps a piece, or has libcurl keep it and bring it again when there is room.
    private func gather(_ piece: UnsafeRawBufferPointer, _ transfer: Transfer) -> Int {
        guard self.loop.mayGather(piece.count, self) else {
            transfer.pausedAt = self.loop.now
            return ccurl_write_pause
        }
        transfer.bodyBytes += piece.count
        transfer.body.append(contentsOf: piece)
        return piece.count
    }

    /// Whether the announced size is allowed; memory for it is reserved within a bound.
    private func announcedSizeFits(_ transfer: Transfer) -> Bool {
        var announced: curl_off_t = -1
        _ = ccurl_get_offset(self.raw, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced)
        guard announced >= 0 else { return true }
        guard announced <= transfer.request.maximumResponseBytes else { return false }
        if transfer.request.onBody == nil, announced > 0 {
            transfer.body.reserveCapacity(min(announced, Self.maximumReservedBytes))
        }
        return true
    }

    private func failTooLarge(_ transfer: Transfer) -> Int {
        self.fail(
            .responseTooLarge,
            "the answer is larger than \(transfer.request.maximumResponseBytes) bytes"
        )
    }

    private func readBody(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        guard let transfer, let bytes, case .stream(_, let read) = transfer.request.body else {
            return ccurl_read_abort
        }
        self.loop.touch(transfer)
        // A slow upload is not a slow answer.
        transfer.startedAt = self.loop.now
        do {
            if let filled = try read(UnsafeMutableRawBufferPointer(start: bytes, count: count)) { return filled }
            transfer.pausedAt = self.loop.now
            return ccurl_read_pause
        } catch {
            _ = self.fail(.callback, "the request body could not be read: \(error)")
            return ccurl_read_abort
        }
    }
}

// MARK: - After

extension EasyHandle {
    /// Whether bytes of the request may have reached a server.
    var mayHaveBeenSent: Bool {
        var bytes = 0
        _ = ccurl_get_long(self.raw, CURLINFO_REQUEST_SIZE, &bytes)
        return bytes > 0
    }

    /// HTTP status of the last header; 0 before it.
    private var status: Int {
        var status = 0
        _ = ccurl_get_long(self.raw, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    /// The outcome of the transfer that has ended.
    func result(_ code: CURLcode) -> Result<HTTPResponse, HTTPTransferError> {
        guard let transfer else {
            return .failure(HTTPTransferError(.other, mayHaveBeenSent: true, message: "no transfer"))
        }
        guard code == CURLE_OK else { return .failure(transfer.failure ?? self.error(code, transfer)) }
        return .success(HTTPResponse(status: self.status, headers: transfer.headers, body: transfer.body))
    }

    private func error(_ code: CURLcode, _ transfer: Transfer) -> HTTPTransferError {
        let sent = self.mayHaveBeenSent
        let reported = String(cString: self.errorText)
        let text = reported.isEmpty ? String(cString: curl_easy_strerror(code)) : reported
        let (kind, mayHaveBeenSent): (HTTPTransferError.Code, Bool) =
            switch code {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: (.resolve, false)
            case CURLE_COULDNT_CONNECT: (.connect, false)
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM: (.tls, false)
            // The only limit that libcurl itself watches is the one on connecting.
            case CURLE_OPERATION_TIMEDOUT: (.timeout(.connect), sent)
            case CURLE_SEND_ERROR: (.send, sent)
            case CURLE_GOT_NOTHING: (.emptyReply, true)
            case CURLE_RECV_ERROR, CURLE_PARTIAL_FILE: (.receive, true)
            case CURLE_WEIRD_SERVER_REPLY:
                (.malformedResponse, true)
            case CURLE_UNSUPPORTED_PROTOCOL: sent ? (.malformedResponse, true) : (.invalidRequest, false)
            case CURLE_URL_MALFORMAT: (.invalidRequest, false)
            default: (.other, sent)
            }
        return HTTPTransferError(kind, mayHaveBeenSent: mayHaveBeenSent, message: text)
    }
}
