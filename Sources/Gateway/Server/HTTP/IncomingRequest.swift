import GatewayAPI
import GatewayAccess
import NIOCore
import NIOHTTP1

/// A request whose head has come. What the head tells is found once for all who ask.
final class IncomingRequest {
    /// As the parser gave it.
    let http: HTTPRequestHead
    let fields: RequestFields
    let head: RequestHead
    /// Whether it is answered on the event loop.
    let isOnline: Bool
    /// What is asked for, or what is wrong with the head.
    private(set) lazy var route = Result { () throws(APIError) in try self.head.admit() }
    private var knownCaller: Result<Caller, APIError>?

    init(_ http: HTTPRequestHead) {
        let fields = RequestFields(http.headers)
        self.http = http
        self.fields = fields
        self.head = RequestHead(
            method: http.method.rawValue,
            target: http.uri,
            contentLength: fields.contentLength.flatMap { UInt64($0) },
            contentType: fields.contentType ?? ""
        )
        self.isOnline = http.method == .POST && InferencePath(rawValue: self.head.path) != nil
    }

    /// Who makes it, or why the key is not accepted: as the keys said when this was asked first.
    func caller(_ keys: KeyCheck) -> Result<Caller, APIError> {
        guard keys.areAsked else { return .success(.anybody) }
        if let known = self.knownCaller { return known }
        let caller = Result { () throws(APIError) in try keys.caller(self.fields.credentials, self.head) }
        self.knownCaller = caller
        return caller
    }

    /// Why the key is not accepted; nil: it is.
    func keyRefusal(_ keys: KeyCheck) -> APIError? {
        if case .failure(let error) = self.caller(keys) { error } else { nil }
    }
}

/// A part of a request on its way from the connection to who answers it.
enum RequestPart {
    case head(IncomingRequest)
    case body(ByteBuffer)
    case end(HTTPHeaders?)

    /// For those who take parsed parts.
    var http: HTTPServerRequestPart {
        switch self {
        case .head(let request): .head(request.http)
        case .body(let bytes): .body(bytes)
        case .end(let trailers): .end(trailers)
        }
    }
}
