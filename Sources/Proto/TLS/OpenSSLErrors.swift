import COpenSSL

/// What libssl has queued on this thread about the call that failed.
struct OpenSSLErrors {
    /// Longest text that is kept; a peer chooses some of it.
    private static let maximumEntries = 4

    /// Library and reason of each entry, the oldest first.
    private(set) var entries: [(library: Int32, reason: Int32)] = []
    /// The words of all entries, or a fallback if libssl has none.
    private(set) var text = ""

    /// Takes and clears the queue. To be called on the thread of the failed call, before any other call.
    static func take() -> OpenSSLErrors {
        var errors = OpenSSLErrors()
        var words: [String] = []
        while true {
            var data: UnsafePointer<CChar>?
            var flags: Int32 = 0
            let code = ERR_get_error_all(nil, nil, nil, &data, &flags)
            guard code != 0 else { break }
            guard errors.entries.count < Self.maximumEntries else { continue }
            errors.entries.append((ERR_GET_LIB(code), ERR_GET_REASON(code)))
            words.append(Self.words(code, data: flags & ERR_TXT_STRING != 0 ? data : nil))
        }
        errors.text = words.isEmpty ? "libssl gives no reason" : words.joined(separator: "; ")
        return errors
    }

    /// Empties the queue. Each call of libssl must be preceded by this: SSL_get_error reads the queue, so that an
    /// entry left by somebody else on this thread would break a healthy connection.
    static func clear() {
        ERR_clear_error()
    }

    /// True when an entry has the reason in libssl's own numbering.
    func contains(_ reason: Int32) -> Bool {
        self.entries.contains { $0.library == ERR_LIB_SSL && $0.reason == reason }
    }

    /// The number of a fatal alert that the peer has sent. libssl reports alert N as reason 1,000 + N.
    var alert: Int32? {
        self.entries.first { $0.library == ERR_LIB_SSL && $0.reason > 1_000 && $0.reason < 1_256 }
            .map { $0.reason - 1_000 }
    }

    private static func words(_ code: UInt, data: UnsafePointer<CChar>?) -> String {
        let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
        guard let data, data.pointee != 0 else { return reason }
        return "\(reason) (\(String(cString: data)))"
    }
}
