import FoundationEssentials
import GatewayAPI
import GatewayAccess
import HTTPTypes
import NIOHTTP1
import WatchedFiles

/// Tells who makes a request.
struct KeyCheck: Sendable {
    /// The accepted keys; nil: none are asked for.
    let keys: WatchedFile<KeyTable>?

    /// Who makes the request.
    ///
    /// - Throws: 401 without a key that is accepted now.
    func caller(_ credentials: @autoclosure () -> Credentials, _ head: RequestHead) throws(APIError) -> Caller {
        guard let keys = self.keys, !head.isProbe else { return .anybody }
        return try keys.current.caller(credentials(), at: Int64(Date().timeIntervalSince1970))
    }

    /// Why nothing of a request's body is wanted; nil: its key is accepted now.
    func refusal(of request: HTTPRequestHead) -> APIError? {
        guard self.keys != nil else { return nil }
        do throws(APIError) {
            _ = try self.caller(Credentials(request.headers), RequestHead(request))
            return nil
        } catch {
            return error
        }
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

    /// As `HTTPFields` has it, fields of one name count as one.
    init(_ headers: HTTPHeaders) {
        func value(_ name: HTTPField.Name) -> String? {
            let values = headers[name.canonicalName]
            return values.isEmpty ? nil : values.joined(separator: ", ")
        }
        self.init(
            authorization: value(.authorization),
            organization: value(.organization),
            project: value(.project)
        )
    }
}
