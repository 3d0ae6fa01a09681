import Foundation
import Glibc

/// A server that answers one request with the bytes that the test chooses, whatever they are.
struct RawServer {
    struct Failed: Error {}

    /// Runs `body` with the URL of a server that answers each of its requests with `answer` and closes.
    static func run(answer: String, _ body: (_ url: String) async throws -> Void) async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw Failed() }
        defer {
            // Wakes the thread that accepts, which ends then.
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
        }
        let port = try Self.bindToLoopback(listener)
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Self.serve(connection, answer)
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

    private static func serve(_ connection: Int32, _ answer: String) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        // The requests of these tests fit into one read.
        _ = read(connection, &buffer, buffer.count)
        let bytes = Array(answer.utf8)
        _ = write(connection, bytes, bytes.count)
        close(connection)
    }
}
