import GatewayAPI
import HTTPTypes
import Hummingbird
import NIOCore
import ProtoMessages
import ProtoRPC

/// Bounds on online requests.
struct InferenceTimes: Sendable {
    /// Longest time from the request to the end of its answer.
    var request: Duration
    /// Silence of a stream of events after which a comment is written.
    var keepAlive: Duration
}

/// Passes an online request to the scheduler, and the engine's answer to the client, as they are (A10).
struct InferenceResponder: Sendable {
    let calls: SchedulerCalls
    let times: InferenceTimes
    let budget: BodyBudget
    let models: ModelDirectory

    /// The answer; its body is passed on while it is written.
    func response(to request: Request, path: InferencePath) async throws -> Response {
        guard let scope = RequestScope.current else { throw APIError.internalError }
        let body = HeldBody(budget: self.budget)
        for try await piece in request.body { try body.append(piece) }
        let wanted = try InferenceRequest.parse(body.bytes)
        let call = OpenCall(
            head: InferHead(
                requestClass: wanted.tier == .flex ? .flex : .online,
                model: wanted.model,
                path: path.rawValue,
                contentBytes: UInt64(body.bytes.readableBytes)
            ),
            body: body,
            options: self.calls.options(timeout: self.times.request),
            route: ModelRoute(model: wanted.model, directory: self.models)
        )
        let client = self.calls.client
        scope.begin { await call.run(on: client) }
        do {
            let answer = EngineAnswer(answer: try await call.firstAnswer(), call: call, keepAlive: self.times.keepAlive)
            var response = try await answer.response()
            response.headers[.serviceTier] = wanted.tier.rawValue
            return response
        } catch let error as RPCError {
            guard ClientPresence.current?.hasLeft != true else { throw APIError.clientHasLeft }
            throw APIError(inference: error)
        }
    }
}
