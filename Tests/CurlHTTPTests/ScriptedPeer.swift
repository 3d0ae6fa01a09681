import Foundation
import Glibc

/// The server's side of a connection, played by a test on a thread of its own. What it reads has to come, else it waits.
struct ScriptedPeer: Sendable {
    struct Failed: Error {}

    private let socket: Int32

    /// Runs `body` with the URL of a server that plays `script` on each connection, one after the other.
    static func run(
        _ script: @escaping @Sendable (ScriptedPeer) -> Void,
        _ body: (_ url: String) async throws -> Void
    ) async throws {
        let listener = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw Failed() }
        defer {
            // Wakes the thread that accepts, which ends then.
            shutdown(listener, Int32(SHUT_RDWR))
            Glibc.close(listener)
        }
        let port = try Self.bindToLoopback(listener)
        Thread.detachNewThread {
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { return }
                script(ScriptedPeer(socket: socket))
                Glibc.close(socket)
            }
        }
        try await body("http://127.0.0.1:\(port)/")
    }

    private static func bindToLoopback(_ listener: Int32) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard isBound else { throw Failed() }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Reads the head of a request, and so many bytes of its body; false: the connection ended before.
    @discardableResult
    func readRequest(bodyBytes: Int = 0) -> Bool {
        var last: [UInt8] = []
        while last != Array("\r\n\r\n".utf8) {
            guard let byte = self.readByte() else { return false }
            last = last.suffix(3) + [byte]
        }
        for _ in 0..<bodyBytes where self.readByte() == nil { return false }
        return true
    }

    /// Reads until the client closes the connection.
    func readToEnd() {
        while self.readByte() != nil {}
    }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = send(self.socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Says that nothing more comes, and goes on reading.
    func endWriting() {
        shutdown(self.socket, Int32(SHUT_WR))
    }

    /// Breaks the connection off.
    func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        // Closes it for both, while the descriptor stays until the script ends.
        let other = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        dup2(other, self.socket)
        Glibc.close(other)
    }

    private func readByte() -> UInt8? {
        var byte: UInt8 = 0
        return read(self.socket, &byte, 1) == 1 ? byte : nil
    }
}
