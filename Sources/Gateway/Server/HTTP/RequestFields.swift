import GatewayAccess
import NIOHTTP1

/// The header fields of a request that the gateway looks at, found in one pass.
///
/// Each look for a name in `HTTPHeaders` goes over all fields; a dozen of them took a tenth of a small request's time.
struct RequestFields {
    /// How many `Host` fields there are.
    private(set) var hosts = 0
    /// The first `Content-Length`.
    private(set) var contentLength: String?
    /// Whether a `Content-Length` says that there is a body.
    private(set) var tellsBody = false
    /// All `Transfer-Encoding` fields.
    private(set) var transferCodings: [String] = []
    /// All `Expect` fields.
    private(set) var expectations: [String] = []
    /// Whether an upgrade is asked for.
    private(set) var asksUpgrade = false
    /// The first `Content-Type`.
    private(set) var contentType: String?
    /// The first `X-Request-Id`.
    private(set) var requestID: String?
    /// All `Traceparent` fields; more than one are joined, which makes them none.
    private(set) var traceParent: String?
    /// All `Tracestate` fields, joined.
    private(set) var traceState: String?
    /// Who makes the request; fields of one name count as one, as in `HTTPFields`.
    private(set) var credentials = Credentials()

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers { self.add(name, value) }
    }

    private mutating func add(_ name: String, _ value: String) {
        switch name.utf8.count {
        case 4 where name.isField("host"): self.hosts += 1
        case 6 where name.isField("expect"): self.expectations.append(value)
        case 7 where name.isField("upgrade"): self.asksUpgrade = true
        case 10 where name.isField("tracestate"): Self.join(value, to: &self.traceState)
        case 11 where name.isField("traceparent"): Self.join(value, to: &self.traceParent)
        case 12 where name.isField("content-type"): self.contentType = self.contentType ?? value
        case 12 where name.isField("x-request-id"): self.requestID = self.requestID ?? value
        case 13 where name.isField("authorization"): Self.join(value, to: &self.credentials.authorization)
        case 14 where name.isField("content-length"):
            self.contentLength = self.contentLength ?? value
            if value != "0" { self.tellsBody = true }
        case 14 where name.isField("openai-project"): Self.join(value, to: &self.credentials.project)
        case 17 where name.isField("transfer-encoding"): self.transferCodings.append(value)
        case 19 where name.isField("openai-organization"): Self.join(value, to: &self.credentials.organization)
        default: break
        }
    }

    private static func join(_ value: String, to known: inout String?) {
        known = known.map { "\($0), \(value)" } ?? value
    }

    /// Whether a body follows.
    var hasBody: Bool { self.tellsBody || !self.transferCodings.isEmpty }
}

extension String {
    /// Whether it is this field's name.
    ///
    /// - Parameter name: of the same length, in lower case.
    fileprivate func isField(_ name: StaticString) -> Bool {
        // Names consist of characters of tokens, of which only letters have a lower case.
        var index = 0
        for byte in self.utf8 {
            let expected = name.utf8Start[index]
            guard byte == expected || (0x41...0x5A ~= byte && byte | 0x20 == expected) else { return false }
            index += 1
        }
        return true
    }
}
