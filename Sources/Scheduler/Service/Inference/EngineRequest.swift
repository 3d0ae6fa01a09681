import CurlHTTP
import ProtoMessages
import ProtoRPC
import SchedulerCore

/// What a call of `Inference` asks for, checked.
struct EngineRequest: Sendable {
    let dispatchClass: DispatchClass
    let model: String
    let path: String
    let contentBytes: Int
    let tenant: String
    let requestID: String
    /// The request's place in a trace, as header fields; none if it has none.
    let traceFields: [HTTPHeader]

    /// Checks the head of a call.
    /// - Throws: INVALID_ARGUMENT, with the field at fault; PERMISSION_DENIED for a class that the caller may not send.
    init(_ head: InferHead, _ context: RPCContext) throws(RPCError) {
        self.dispatchClass =
            switch head.requestClass {
            case .online: .online
            case .flex: .flex
            case .batch: .batch
            default: throw RPCErrors.invalid("request_class", "Give a request class: online, flex or batch.")
            }
        guard context.caller.maySend(head.requestClass) else {
            throw RPCErrors.make(
                .permissionDenied,
                "\(context.caller.name) may not send requests of the class \(self.dispatchClass).",
                reason: "class_not_allowed",
                param: "request_class"
            )
        }
        guard BatchRequest.endpoints.contains(head.path) else {
            let known = BatchRequest.endpoints.joined(separator: ", ")
            throw RPCErrors.invalid("path", "'\(RPCErrors.shown(head.path))' is not a path of an engine: use \(known).")
        }
        guard !head.model.isEmpty else { throw RPCErrors.invalid("model", "Give the name of a model.") }
        let limit = InferLimits.maximumContentBytes
        guard (1...UInt64(limit)).contains(head.contentBytes) else {
            throw RPCErrors.invalid("content_bytes", "\(head.contentBytes) is out of range: give 1 to \(limit).")
        }
        self.model = head.model
        self.path = head.path
        self.contentBytes = Int(head.contentBytes)
        self.tenant = context.tenant
        self.requestID = context.requestID
        self.traceFields = context.trace?.fields.map { HTTPHeader(name: $0.name, value: $0.value) } ?? []
    }
}
