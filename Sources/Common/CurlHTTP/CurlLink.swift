import CCurl
import COpenSSL
import Glibc

/// A connection that libcurl makes and keeps, TLS included, and over which others speak: one easy handle, which stays with
/// its multi handle until the connection is closed. For the loop's thread.
///
/// See CURLOPT_CONNECT_ONLY. Bytes of a connection without TLS go straight to its socket.
final class CurlLink {
    /// What came of sending or receiving.
    enum Outcome {
        /// So many bytes were moved, at least one.
        case moved(Int)
        /// None can be moved now; the socket tells when.
        case blocked
        /// The server has closed the connection.
        case ended
        /// The connection is broken; says why.
        case failed(String)
    }

    /// What one record of TLS holds. Of more than that libcurl tells nothing until all of it was sent.
    private static let recordBytes = 16 << 10

    let raw: UnsafeMutableRawPointer
    let isSecure: Bool
    /// -1 until it is connected.
    private(set) var socket: curl_socket_t = -1
    private unowned let loop: CurlLoop
    private var multi: MultiHandle?
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// nil when there is no memory.
    init?(to origin: String, within connectMilliseconds: Int64, loop: CurlLoop) {
        guard let raw = curl_easy_init() else { return nil }
        self.raw = raw
        self.loop = loop
        self.isSecure = origin.hasPrefix("https:")
        self.errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        self.set(origin, connectMilliseconds)
    }

    deinit {
        self.close()
        curl_easy_cleanup(self.raw)
        self.errorText.deallocate()
    }

    private func set(_ origin: String, _ connectMilliseconds: Int64) {
        _ = ccurl_set_long(self.raw, CURLOPT_CONNECT_ONLY, 1)
        _ = ccurl_set_string(self.raw, CURLOPT_URL, origin)
        _ = ccurl_set_long(self.raw, CURLOPT_CONNECTTIMEOUT_MS, Int(clamping: max(connectMilliseconds, 1)))
        _ = ccurl_set_long(self.raw, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_long(self.raw, CURLOPT_TCP_NODELAY, 1)
        _ = ccurl_set_long(self.raw, CURLOPT_TCP_KEEPALIVE, 1)
        // What ALPN offers.
        _ = ccurl_set_long(self.raw, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        _ = ccurl_set_string(self.raw, CURLOPT_PROTOCOLS_STR, "http,https")
        // Otherwise the loop's thread would wait for the look-up of a name that was given up.
        _ = ccurl_set_long(self.raw, CURLOPT_QUICK_EXIT, 1)
        // An empty string, since without it libcurl would take a proxy from the environment.
        _ = ccurl_set_string(self.raw, CURLOPT_PROXY, "")
        if let authorities = self.loop.certificateAuthorities {
            _ = ccurl_set_string(self.raw, CURLOPT_CAINFO, authorities)
        }
        if let share = self.loop.share {
            _ = ccurl_set_pointer(self.raw, CURLOPT_SHARE, share.raw)
        }
        _ = ccurl_set_pointer(self.raw, CURLOPT_ERRORBUFFER, self.errorText)
        self.loop.watchConnections(of: self.raw)
    }

    /// Begins to connect in a multi handle; whether libcurl took it.
    func connect(in multi: MultiHandle) -> Bool {
        guard multi.add(self.raw) else { return false }
        self.multi = multi
        return true
    }

    /// libcurl is done with connecting.
    /// - Throws: why there is no connection.
    func connected(_ code: CURLcode) throws(HTTPTransferError) {
        guard code == CURLE_OK else { throw self.error(code) }
        var descriptor: curl_socket_t = -1
        guard ccurl_get_socket(self.raw, &descriptor) == CURLE_OK, descriptor >= 0 else {
            throw HTTPTransferError(.connect, mayHaveBeenSent: false, message: "the connection was closed at once")
        }
        self.socket = descriptor
        // What an address said that was tried in vain.
        self.errorText.pointee = 0
        // By its first use through libcurl the connection counts as used: libcurl looks after those that are not, and closes
        // one that has something to read.
        var (byte, count): (UInt8, Int) = (0, 0)
        guard curl_easy_recv(self.raw, &byte, 1, &count) == CURLE_AGAIN else {
            throw HTTPTransferError(
                .connect,
                mayHaveBeenSent: false,
                message: "the server closed the connection at once"
            )
        }
    }

    /// Closes the connection, or gives up making one.
    func close() {
        guard let multi = self.multi else { return }
        multi.remove(self.raw)
        self.multi = nil
        self.socket = -1
    }

    /// Sends bytes, at least one. After `blocked` the same bytes have to be sent again.
    func send(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard self.isSecure else {
            return Self.outcome(Glibc.send(self.socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
        }
        var count = 0
        let length = min(bytes.count, Self.recordBytes)
        return self.outcome(curl_easy_send(self.raw, bytes.baseAddress, length, &count), count)
    }

    /// Receives up to as many bytes as the buffer has.
    func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        guard self.isSecure else { return Self.outcome(recv(self.socket, buffer.baseAddress, buffer.count, 0)) }
        var count = 0
        return self.outcome(curl_easy_recv(self.raw, buffer.baseAddress, buffer.count, &count), count)
    }

    private static func outcome(_ result: Int) -> Outcome {
        if result > 0 { return .moved(result) }
        if result == 0 { return .ended }
        switch errno {
        case EAGAIN, EINTR: return .blocked
        case let code: return .failed(String(cString: strerror(code)))
        }
    }

    private func outcome(_ code: CURLcode, _ count: Int) -> Outcome {
        switch code {
        case CURLE_OK where count > 0: .moved(count)
        case CURLE_OK: self.isEndSaid ? .ended : .failed("the connection was closed without an end of TLS")
        case CURLE_AGAIN: .blocked
        default: .failed(self.text(of: code))
        }
    }

    /// Whether the server has said over TLS that there is no more: libcurl tells the end of a connection that was cut as
    /// well.
    private var isEndSaid: Bool {
        var info: UnsafeMutablePointer<curl_tlssessioninfo>?
        guard ccurl_get_tls(self.raw, &info) == CURLE_OK, let info = info?.pointee, let ssl = info.internals else {
            return false
        }
        // With other libraries libcurl tells a cut as an error.
        guard info.backend == CURLSSLBACKEND_OPENSSL else { return true }
        return SSL_get_shutdown(OpaquePointer(ssl)) & SSL_RECEIVED_SHUTDOWN != 0
    }

    private func text(of code: CURLcode) -> String {
        let reported = String(cString: self.errorText)
        return reported.isEmpty ? String(cString: curl_easy_strerror(code)) : reported
    }

    private func error(_ code: CURLcode) -> HTTPTransferError {
        let kind: HTTPTransferError.Code =
            switch code {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
                CURLE_SSL_CACERT_BADFILE:
                .tls
            case CURLE_OPERATION_TIMEDOUT: .timeout(.connect)
            case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .invalidRequest
            case CURLE_COULDNT_CONNECT: .connect
            default: .other
            }
        return HTTPTransferError(kind, mayHaveBeenSent: false, message: self.text(of: code))
    }
}
