import COpenSSL
import Foundation
import Glibc
import Synchronization

/// A server that does on each of its connections what the test says, whatever that is.
final class RawServer: Sendable {
    struct Failed: Error {}

    /// What a server over TLS shows, and has to show it with; paths of files in PEM.
    struct Identity {
        let chain: String
        let key: String
    }

    /// Where it is.
    let url: String
    /// Told of each connection once it was served and is closed: its number, from 0.
    let ended: AsyncStream<Int>
    private let end: AsyncStream<Int>.Continuation
    private let accepted = Mutex(0)

    /// How many connections were made to it.
    var connections: Int { self.accepted.withLock { $0 } }

    private init(port: UInt16, isSecure: Bool) {
        self.url = "\(isSecure ? "https" : "http")://127.0.0.1:\(port)/"
        (self.ended, self.end) = AsyncStream.makeStream()
    }

    /// Runs `body` with a server that serves each connection by `serve`, on a thread of its own, and closes it then.
    static func run(
        identity: Identity? = nil,
        serving serve: @escaping @Sendable (RawPeer) -> Void,
        _ body: (RawServer) async throws -> Void
    ) async throws {
        let context = try identity.map(Self.makeContext)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw Failed() }
        // Wakes the thread that accepts, which ends then.
        defer { shutdown(listener, Int32(SHUT_RDWR)) }
        let server = RawServer(port: try Self.bindToLoopback(listener, backlog: 64), isSecure: context != nil)
        Thread.detachNewThread { server.accept(from: listener, context, serve) }
        try await body(server)
    }

    /// Runs `body` with the URL of a server that answers each of its requests with `answer` and closes.
    static func run(answer: String, _ body: (_ url: String) async throws -> Void) async throws {
        let serve: @Sendable (RawPeer) -> Void = { peer in
            _ = peer.readSome()
            peer.write(answer)
        }
        try await Self.run(serving: serve) { try await body($0.url) }
    }

    /// Binds a socket to a port of its own.
    static func bindToLoopback(_ listener: Int32, backlog: Int32) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, backlog) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard isBound else { throw Failed() }
        return UInt16(bigEndian: address.sin_port)
    }

    private func accept(from listener: Int32, _ context: Context?, _ serve: @escaping @Sendable (RawPeer) -> Void) {
        defer { close(listener) }
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { return }
            // A process that a test starts meanwhile would keep it open.
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            let number = self.accepted.withLock { accepted in
                defer { accepted += 1 }
                return accepted
            }
            Thread.detachNewThread {
                let peer = RawPeer(connection, number: number, context?.raw)
                if peer.isThere { serve(peer) }
                peer.close()
                self.end.yield(number)
            }
        }
    }

    /// For many threads: OpenSSL locks what is in it.
    private final class Context: @unchecked Sendable {
        let raw: OpaquePointer

        init(_ raw: OpaquePointer) { self.raw = raw }

        deinit { SSL_CTX_free(self.raw) }
    }

    private static func makeContext(_ identity: Identity) throws -> Context {
        guard let raw = SSL_CTX_new(TLS_server_method()) else { throw Failed() }
        let context = Context(raw)
        guard SSL_CTX_use_certificate_chain_file(raw, identity.chain) == 1,
            SSL_CTX_use_PrivateKey_file(raw, identity.key, SSL_FILETYPE_PEM) == 1
        else { throw Failed() }
        return context
    }
}
