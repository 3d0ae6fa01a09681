/// Why there is no context, no connection, or no connection any more (G6-10, T-26).
public struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Sendable, Equatable {
        /// The configuration contradicts itself: a role without the files or the name it needs.
        case configuration
        /// A file of the configuration cannot be opened.
        case missingFile
        /// A file was read, and is not PEM of the kind it should be.
        case malformedFile
        /// The private key is not the certificate's.
        case mismatchedKey
        /// A key or signature is below 112 bits of security (RSA under 2,048 bits, SHA-1).
        case weakKey
        /// The peer has not shown a certificate, or this side's is missed by the peer.
        case certificateMissing
        /// The peer's certificate is past its end.
        case certificateExpired
        /// The peer's certificate has not begun.
        case certificateNotYetValid
        /// No chain from the peer's certificate to a root that is trusted.
        case certificateUntrusted
        /// The chain is trusted, but the certificate is another host's or service's.
        case certificateNameMismatch
        /// A revocation list names the certificate, or there is none for its issuer although lists are in use.
        case certificateRevoked
        /// The certificate does not hold for another reason, which the message says.
        case certificateRefused
        /// No version of TLS that both sides accept.
        case version
        /// No application protocol that both sides speak.
        case applicationProtocol
        /// What the peer sends is not TLS.
        case notTLS
        /// The handshake took longer than its limit.
        case handshakeTimeout
        /// The peer has ended the connection with an alert, which the message names.
        case alert
        /// The bytes ended without the peer's close_notify: what came may not be all.
        case truncated
        /// More was written before the end of the handshake than is held.
        case tooMuchHeld
        /// The peer broke TLS, or libssl failed.
        case failed
        /// The connection was closed before the handshake was complete.
        case closed
    }

    /// What kind of failure it is.
    public var code: Code
    /// For people: names the file or the rule, with libssl's own words.
    public var message: String

    /// Makes an error.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// Code and message, for the log.
    public var description: String {
        "\(self.code): \(self.message)"
    }
}
