import COpenSSL
import Synchronization

/// A session that a client may resume: the owner of one reference to an `SSL_SESSION`.
///
/// Shared unchecked, with this guard: a session is not changed once handed over, and its reference count is atomic in
/// libssl.
final class TLSSession: @unchecked Sendable {
    let handle: OpaquePointer

    /// Takes over the caller's reference.
    init(owning handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        SSL_SESSION_free(self.handle)
    }
}

/// The sessions of a client's context by what they may be used for. A session is used once, so that two connections
/// cannot be linked by it (RFC 8446, appendix C.4); a server sends two a handshake.
final class TLSSessionCache: Sendable {
    /// How long a session may be resumed.
    static let lifetimeSeconds = 3_600
    /// Most sessions a name; older ones go first.
    static let maximumPerName = 8
    /// Most names. Beyond, everything is forgotten: the next connections do a full handshake.
    static let maximumNames = 1_024

    private let sessions = Mutex<[String: [TLSSession]]>([:])

    /// Keeps a session.
    func store(_ session: TLSSession, name: String) {
        self.sessions.withLock { sessions in
            if sessions[name] == nil, sessions.count >= Self.maximumNames { sessions.removeAll() }
            var kept = sessions[name] ?? []
            if kept.count >= Self.maximumPerName { kept.removeFirst() }
            kept.append(session)
            sessions[name] = kept
        }
    }

    /// Takes the newest session for a name out.
    func take(name: String) -> TLSSession? {
        self.sessions.withLock { sessions in
            sessions[name]?.popLast()
        }
    }
}
