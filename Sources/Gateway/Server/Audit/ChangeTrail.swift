import GatewayAPI
import Hummingbird
import Synchronization

/// The object that a request has made, for the audit log.
final class ChangeTrail: Sendable {
    private let id = Mutex<String?>(nil)

    /// Its id; nil: none was made.
    var objectID: String? { self.id.withLock { $0 } }

    /// The answer that shows a new object.
    func created(_ object: JSON) -> Response {
        if case .string(let id) = object["id"] { self.id.withLock { $0 = id } }
        return Response(json: object)
    }
}
