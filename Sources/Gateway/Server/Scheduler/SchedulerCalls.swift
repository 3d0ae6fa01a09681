import GatewayAPI
import ProtoMessages
import ProtoRPC

/// Calls the scheduler on behalf of one request.
struct SchedulerCalls: Sendable {
    /// The tenant of all requests while no keys are configured.
    private static let tenant = "default"
    /// Longest time for a control call.
    static let controlTimeout = Duration.seconds(30)

    let client: RPCClient
    let requestID: String

    /// Makes a call; its failure is worded for the client.
    func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        idempotencyKey: String? = nil
    ) async throws(APIError) -> Response {
        do throws(RPCError) {
            return try await self.reply(method, request, idempotencyKey: idempotencyKey).message
        } catch {
            throw APIError(error)
        }
    }

    /// Makes a call and tells which scheduler answered.
    func reply<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        idempotencyKey: String? = nil,
        lane: RPCClient.Lane = .control,
        endpoint: RPCClient.Endpoint? = nil,
        timeout: Duration = Self.controlTimeout
    ) async throws(RPCError) -> RPCReply<Response> {
        var metadata = [("tenant", Self.tenant), ("request-id", self.requestID)]
        if let idempotencyKey { metadata.append(("idempotency-key", idempotencyKey)) }
        return try await self.client.reply(
            method,
            request,
            options: CallOptions(timeout: timeout, metadata: metadata, lane: lane, endpoint: endpoint)
        )
    }
}
