import FoundationEssentials
import GatewayAPI
import GatewayAccess
import HTTPTypes
import Hummingbird
import NIOHTTP1
import WatchedFiles

/// Tells who makes a request.
struct KeyCheck: Sendable {
    /// The accepted keys; nil: none are asked for.
    let keys: WatchedFile<KeyTable>?

    /// Who makes the request.
    ///
    /// - Throws: 401 without a key that is accepted now.
    func caller(of request: Request, _ head: RequestHead) throws(APIError) -> Caller {
        try self.caller(head) {
            Credentials(
                authorization: request.headers[.authorization],
                organization: request.headers[.organization],
                project: request.headers[.project]
            )
        }
    }

    /// Why nothing of a request's body is wanted; nil: its key is accepted now.
    func refusal(of request: HTTPRequestHead) -> APIError? {
        func value(_ name: HTTPField.Name) -> String? {
            let values = request.headers[name.canonicalName]
            return values.isEmpty ? nil : values.joined(separator: ", ")
        }
        do throws(APIError) {
            _ = try self.caller(RequestHead(request)) {
                Credentials(
                    authorization: value(.authorization),
                    organization: value(.organization),
                    project: value(.project)
                )
            }
            return nil
        } catch {
            return error
        }
    }

    private func caller(_ head: RequestHead, _ credentials: () -> Credentials) throws(APIError) -> Caller {
        guard let keys = self.keys, !head.isProbe else { return .anybody }
        return try keys.current.caller(credentials(), at: Int64(Date().timeIntervalSince1970))
    }
}
