import FoundationEssentials
import GatewayAPI
import GatewayAccess
import HTTPTypes
import WatchedFiles

/// Tells who makes a request.
struct KeyCheck: Sendable {
    /// The accepted keys; nil: none are asked for.
    let keys: WatchedFile<KeyTable>?

    /// Whether requests need a key at all.
    var areAsked: Bool { self.keys != nil }

    /// Who makes the request.
    ///
    /// - Throws: 401 without a key that is accepted now.
    func caller(_ credentials: @autoclosure () -> Credentials, _ head: RequestHead) throws(APIError) -> Caller {
        guard let keys = self.keys, !head.isProbe else { return .anybody }
        return try keys.current.caller(credentials(), at: Int64(Date().timeIntervalSince1970))
    }
}

extension Credentials {
    init(_ headers: HTTPFields) {
        self.init(
            authorization: headers[.authorization],
            organization: headers[.organization],
            project: headers[.project]
        )
    }
}
