import CCurl
import FoundationEssentials

/// A URL taken apart by libcurl: where to connect to, and what a request to it says.
struct RequestTarget {
    /// Scheme, host and port: requests to the same origin may use the same connection.
    let origin: String
    /// What follows the verb: path and query, the version, and the field `Host`.
    let head: String
    /// The field `Authorization` of a URL with a user name; empty of others.
    let authorization: String

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
        // Which interface an address of IPv6 is of is nobody's but this machine's (RFC 6874, 1).
        let zone = Self.part(CURLUPART_ZONEID, of: url).map { "%25" + $0 } ?? ""
        self.origin = scheme + "://" + (zone.isEmpty ? host : host.dropLast() + zone + "]") + port
        self.head = " \(path)\(query) HTTP/1.1\r\nHost: \(host)\(port)\r\n"
        self.authorization = Self.authorization(of: url)
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

/// The targets of the URLs that are in use, and their origins: engines have few. For the loop's thread.
struct RequestTargets<Connection: AnyObject> {
    /// More are forgotten, all at once.
    private static var maximum: Int { 256 }

    private var targets: [String: (RequestTarget, Origin<Connection>)] = [:]
    private var origins: [String: Origin<Connection>] = [:]

    /// The target of a URL.
    /// - Throws: `invalidRequest`.
    mutating func target(of url: String) throws(HTTPTransferError) -> (RequestTarget, Origin<Connection>) {
        if let known = self.targets[url] { return known }
        let target = try RequestTarget(parsing: url)
        if self.targets.count == Self.maximum {
            self.targets.removeAll(keepingCapacity: true)
            self.origins.removeAll(keepingCapacity: true)
        }
        let origin = self.origins[target.origin] ?? Origin(target.origin)
        self.origins[target.origin] = origin
        self.targets[url] = (target, origin)
        return (target, origin)
    }
}
