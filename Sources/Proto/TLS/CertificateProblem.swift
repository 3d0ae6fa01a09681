import COpenSSL

/// What libssl's verdict on a peer's certificate is to the callers.
enum CertificateProblem {
    /// The error of a verdict (`X509_V_ERR_...`).
    static func error(verdict: Int) -> TLSError {
        let words = X509_verify_cert_error_string(verdict).map { String(cString: $0) } ?? "verdict \(verdict)"
        let code = self.code(Int32(truncatingIfNeeded: verdict))
        return TLSError(code: code, message: "the peer's certificate: \(words)")
    }

    /// The error of an alert about this side's certificate that the peer has sent; numbers are of RFC 8446, section 6.
    static func error(alert: Int32, words: String) -> TLSError {
        let code: TLSError.Code =
            switch alert {
            case 42, 43, 46: .certificateRefused
            case 44: .certificateRevoked
            case 45: .certificateExpired
            case 48: .certificateUntrusted
            case 116: .certificateMissing
            case 70: .version
            case 120: .applicationProtocol
            default: .alert
            }
        return TLSError(code: code, message: "the peer refuses: \(words)")
    }

    private static func code(_ verdict: Int32) -> TLSError.Code {
        switch verdict {
        case X509_V_ERR_CERT_HAS_EXPIRED: .certificateExpired
        case X509_V_ERR_CERT_NOT_YET_VALID: .certificateNotYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: .certificateNameMismatch
        case X509_V_ERR_CERT_REVOKED, X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_CRL_HAS_EXPIRED,
            X509_V_ERR_CRL_NOT_YET_VALID, X509_V_ERR_CRL_SIGNATURE_FAILURE:
            .certificateRevoked
        case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL, X509_V_ERR_CA_MD_TOO_WEAK: .weakKey
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_CERT_SIGNATURE_FAILURE:
            .certificateUntrusted
        default: .certificateRefused
        }
    }
}
