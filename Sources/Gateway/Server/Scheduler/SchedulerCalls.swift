import GatewayAPI
import GatewayAccess
import Logging
import ProtoMessages
import ProtoRPC

/// Calls the scheduler on behalf of one request.
struct SchedulerCalls: Sendable {
    /// Longest time for a control call.
    static let controlTimeout = Duration.seconds(30)

    let client: RPCClient
    /// Who makes the request.
    let caller: Caller
    let requestID: String
    let logger: Logger

    /// Metadata of every call, also of streams: whom it is for, and the request's name for logs.
    var metadata: [(String, String)] {
        Self.pairs(self.caller, requestID: self.requestID).map { ($0.key, $0.value) }
    }

    /// The same as it travels.
    static func pairs(_ caller: Caller, requestID: String, trace: TraceContext? = nil) -> [Envelope.KeyValue] {
        let tenant = Envelope.KeyValue(key: "tenant", value: caller.tenant)
        let request = Envelope.KeyValue(key: "request-id", value: requestID)
        var pairs =
            caller.project.map { [tenant, request, Envelope.KeyValue(key: "project", value: $0)] } ?? [tenant, request]
        if let trace { pairs += trace.fields.map { Envelope.KeyValue(key: $0.name, value: $0.value) } }
        return pairs
    }

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

    /// How calls for this request are made.
    func options(timeout: Duration) -> CallOptions {
        CallOptions(timeout: timeout, metadata: self.metadata)
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
        var options = self.options(timeout: timeout)
        if let idempotencyKey { options.metadata.append(("idempotency-key", idempotencyKey)) }
        options.lane = lane
        options.endpoint = endpoint
        do throws(RPCError) {
            return try await self.client.reply(method, request, options: options)
        } catch {
            if error.code == .permissionDenied {
                self.logger.error(
                    "the scheduler refuses this gateway; look at its certificate and the scheduler's --access",
                    metadata: ["reason": "\(error.message)", "request_id": "\(self.requestID)"]
                )
            }
            throw error
        }
    }
}

extension SchedulerCalls {
    /// Calls in a row that may find no scheduler, spread over about ten seconds: the time of a restart.
    private static let maximumAttempts = 8
    private static let minimumPause = Duration.milliseconds(100)
    private static let maximumPause = Duration.seconds(3)

    /// Makes a call that does no harm when it is made twice, on the connection for file content, again and again while
    /// the scheduler cannot be reached.
    func persistently<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request,
        endpoint: RPCClient.Endpoint? = nil
    ) async throws(APIError) -> Response {
        var pause = Self.minimumPause
        for attempt in 1...Self.maximumAttempts {
            do throws(RPCError) {
                return try await self.reply(method, request, lane: .bulk, endpoint: endpoint).message
            } catch {
                // A chunk that was damaged on its way is sent again as well.
                let isWorthAnother = error.code == .unavailable || error.info.reason == "checksum_mismatch"
                guard isWorthAnother, attempt < Self.maximumAttempts else { throw APIError(error) }
            }
            do {
                try await Task.sleep(for: pause * Double.random(in: 0.5...1))
            } catch {
                break
            }
            pause = min(pause * 2, Self.maximumPause)
        }
        throw .unavailable("The service is stopping. Try again in a moment.", code: "service_unavailable")
    }
}
