import COpenSSL
import Foundation
import Glibc

/// One connection of a `RawServer`. Its calls block, and are for the thread that serves it.
final class RawPeer {
    struct Request {
        let head: String
        let body: [UInt8]
    }

    /// Its number among the connections of its server, from 0.
    let number: Int
    /// Whether it is connected, TLS included.
    private(set) var isThere = true
    private var socket: Int32
    private var ssl: OpaquePointer?
    /// Read, and not yet taken.
    private var read: [UInt8] = []

    init(_ socket: Int32, number: Int, _ context: OpaquePointer?) {
        self.socket = socket
        self.number = number
        // A client that has gone is no reason to end the tests.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var yes: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard let context else { return }
        self.ssl = SSL_new(context)
        SSL_set_fd(self.ssl, socket)
        self.isThere = SSL_accept(self.ssl) == 1
    }

    /// Whether a session of TLS went on with it.
    var isResumed: Bool { SSL_session_reused(self.ssl) == 1 }

    // MARK: - Reading

    /// The bytes that come next, however many; none at the end.
    func readSome() -> [UInt8] {
        if !self.read.isEmpty {
            defer { self.read = [] }
            return self.read
        }
        return [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            if let ssl = self.ssl {
                count = Int(max(SSL_read(ssl, buffer.baseAddress, Int32(buffer.count)), 0))
            } else {
                count = max(recv(self.socket, buffer.baseAddress, buffer.count, 0), 0)
            }
        }
    }

    /// The head of a request, with the empty line at its end; nil when the connection ends before.
    func readHead() -> String? {
        var head: [UInt8] = []
        while true {
            let more = self.readSome()
            guard !more.isEmpty else { return nil }
            head += more
            guard let end = Data(head).range(of: Data("\r\n\r\n".utf8))?.upperBound else { continue }
            self.read = Array(head[end...])
            return String(decoding: head[..<end], as: UTF8.self)
        }
    }

    /// A request with all of its body; nil when the connection ends before.
    func readRequest() -> Request? {
        guard let head = self.readHead() else { return nil }
        let field = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
        let length = field.flatMap { Int($0.dropFirst(16)) } ?? 0
        var body: [UInt8] = []
        while body.count < length {
            let more = self.readSome()
            guard !more.isEmpty else { return nil }
            body += more
        }
        self.read = Array(body[length...])
        return Request(head: head, body: Array(body[..<length]))
    }

    /// Waits until the client has closed.
    func readToEnd() {
        while !self.readSome().isEmpty {}
    }

    // MARK: - Writing

    func write(_ text: String) {
        self.write(Array(text.utf8))
    }

    /// Writes all, unless the client has gone.
    func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { rest in
                guard let ssl = self.ssl else { return Glibc.write(self.socket, rest.baseAddress, rest.count) }
                return Int(SSL_write(ssl, rest.baseAddress, Int32(rest.count)))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Sends a session ticket of TLS 1.3, which is no answer.
    func writeSessionTicket() {
        SSL_new_session_ticket(self.ssl)
        SSL_do_handshake(self.ssl)
    }

    // MARK: - Closing

    /// Closes; over TLS it says so first, as it should.
    func close() {
        if let ssl = self.ssl, self.isThere { SSL_shutdown(ssl) }
        self.hangUp()
    }

    /// Closes without a word of TLS.
    func hangUp() {
        SSL_free(self.ssl)
        self.ssl = nil
        self.isThere = false
        if self.socket >= 0 { Glibc.close(self.socket) }
        self.socket = -1
    }

    /// Closes so that the client gets an error in place of the end.
    func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        self.hangUp()
    }
}
