import CCurl
import FoundationEssentials

/// A URL taken apart by libcurl: where to connect to, and what a request to it says.
struct RequestTarget: Sendable {
    /// Scheme, host and port: requests to the same origin may use the same connection.
    let origin: String
    /// What follows the verb: path and query, the version, the fields `Host` and, for a URL with a user name, `Authorization`.
    let head: String

    /// Takes a URL apart.
    /// - Throws: `invalidRequest` when it is no http or https URL, or holds bytes that cannot be sent.
    init(parsing text: String) throws(HTTPTransferError) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .unsendable("URL") }
        guard let url = curl_url() else {
            throw HTTPTransferError(.other, mayHaveBeenSent: false, message: "no memory")
        }
        defer { curl_url_cleanup(url) }
        let code = curl_url_set(url, CURLUPART_URL, text, UInt32(CURLU_NON_SUPPORT_SCHEME))
        guard code == CURLUE_OK else { throw Self.bad(curl_url_strerror(code).map { String(cString: $0) }) }
        guard let scheme = Self.part(CURLUPART_SCHEME, of: url), ["http", "https"].contains(scheme),
            let host = Self.part(CURLUPART_HOST, of: url), let path = Self.part(CURLUPART_PATH, of: url)
        else { throw Self.bad("it is neither http nor https, or names no host") }
        let port = Self.part(CURLUPART_PORT, of: url, flags: CURLU_NO_DEFAULT_PORT).map { ":" + $0 } ?? ""
        let query = Self.part(CURLUPART_QUERY, of: url).map { "?" + $0 } ?? ""
        self.origin = scheme + "://" + host + port
        self.head = " \(path)\(query) HTTP/1.1\r\nHost: \(host)\(port)\r\n" + Self.authorization(of: url)
    }

    private static func authorization(of url: OpaquePointer) -> String {
        let decoded = CURLU_URLDECODE
        guard let user = Self.part(CURLUPART_USER, of: url, flags: decoded) else { return "" }
        let password = Self.part(CURLUPART_PASSWORD, of: url, flags: decoded) ?? ""
        return "Authorization: Basic \(Data("\(user):\(password)".utf8).base64EncodedString())\r\n"
    }

    private static func part(_ part: CURLUPart, of url: OpaquePointer, flags: Int32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(url, part, &text, UInt32(flags)) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    private static func bad(_ reason: String?) -> HTTPTransferError {
        HTTPTransferError(
            .invalidRequest,
            mayHaveBeenSent: false,
            message: "the URL is bad: \(reason ?? "it cannot be read")"
        )
    }
}

/// The targets of the URLs that are in use: engines have few.
struct RequestTargets {
    private static let maximum = 256

    private var targets: [String: RequestTarget] = [:]

    /// The target of a URL.
    /// - Throws: `invalidRequest`.
    mutating func target(of url: String) throws(HTTPTransferError) -> RequestTarget {
        if let target = self.targets[url] { return target }
        let target = try RequestTarget(parsing: url)
        if self.targets.count == Self.maximum { self.targets.removeAll(keepingCapacity: true) }
        self.targets[url] = target
        return target
    }
}
