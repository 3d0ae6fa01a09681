import NIOCore

/// Who a client wants to speak with.
struct TLSExpectedPeer: Equatable {
    /// A DNS name, or an IP address in its usual form.
    let serverName: String?
    /// A URI that the certificate has to have, whatever its DNS names are.
    let uri: String?

    /// An address is checked against the certificate, but not sent: SNI is for names (RFC 6066).
    var isAddress: Bool {
        guard let serverName else { return false }
        return (try? SocketAddress(ipAddress: serverName, port: 0)) != nil
    }

    /// Under what a session is kept: one that was checked for another name must not be resumed for this.
    var sessionName: String {
        "\(self.serverName ?? "")\n\(self.uri ?? "")"
    }

    /// A client without a name would take any certificate of any host under the roots.
    func validate(role: TLSRole) throws(TLSError) {
        guard role == .server || self.serverName != nil || self.uri != nil else {
            throw TLSError(code: .configuration, message: "a client needs the server's name or URI")
        }
        guard self.serverName?.isEmpty != true, self.serverName?.utf8.contains(0) != true else {
            throw TLSError(code: .configuration, message: "a server name must not be empty or hold a NUL")
        }
    }
}
