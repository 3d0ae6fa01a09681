import GatewayAPI
import GatewayAccess
import Logging
import NIOCore
import ProtoMessages
import ProtoRPC

/// What all online requests share.
final class OnlineService: Sendable {
    let client: RPCClient
    let models: ModelDirectory
    let checks: RequestChecks
    let budget: BodyBudget
    /// Longest time from the request to the end of its answer.
    let requestTimeout: Duration
    /// Silence of a stream of events after which a comment is written.
    let keepAlive: TimeAmount
    let accessLog: AccessLog
    let date = DateHeader()

    init(
        client: RPCClient,
        models: ModelDirectory,
        checks: RequestChecks,
        budget: BodyBudget,
        requestTimeout: Duration,
        keepAlive: Duration,
        accessLog: AccessLog
    ) {
        self.client = client
        self.models = models
        self.checks = checks
        self.budget = budget
        self.requestTimeout = requestTimeout
        self.keepAlive = TimeAmount(keepAlive)
        self.accessLog = accessLog
    }

    /// Passes a request to a scheduler.
    ///
    /// - Parameter scheduler: the one that has to take it; nil: any.
    func call(
        _ wanted: InferenceRequest,
        path: InferencePath,
        body: ByteBuffer,
        caller: Caller,
        requestID: String,
        trace: TraceContext?,
        scheduler: RPCClient.Endpoint?,
        on eventLoop: any EventLoop,
        onArrival: @escaping @Sendable () -> Void
    ) -> InferenceCall {
        let head = InferHead(
            requestClass: wanted.tier == .flex ? .flex : .online,
            model: wanted.model,
            path: path.rawValue
        )
        let options = CallOptions(
            timeout: self.requestTimeout,
            pairs: SchedulerCalls.pairs(caller, requestID: requestID, trace: trace),
            endpoint: scheduler
        )
        return self.client.infer(head, body: body, options: options, on: eventLoop, onArrival: onArrival)
    }
}
