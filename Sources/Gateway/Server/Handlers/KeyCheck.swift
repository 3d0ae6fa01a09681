import FoundationEssentials
import GatewayAPI
import GatewayAccess
import HTTPTypes
import Hummingbird
import WatchedFiles

/// Tells who makes a request.
struct KeyCheck: Sendable {
    /// The accepted keys; nil: none are asked for.
    let keys: WatchedFile<KeyTable>?

    /// Who makes the request.
    ///
    /// - Throws: 401 without a key that is accepted now.
    func caller(of request: Request, _ head: RequestHead) throws(APIError) -> Caller {
        guard let keys = self.keys, !head.isProbe else { return .anybody }
        let credentials = Credentials(
            authorization: request.headers[.authorization],
            organization: request.headers[.organization],
            project: request.headers[.project]
        )
        return try keys.current.caller(credentials, at: Int64(Date().timeIntervalSince1970))
    }
}
