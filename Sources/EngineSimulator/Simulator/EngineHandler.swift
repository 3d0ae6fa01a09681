import NIOCore
import NIOHTTP1

/// One connection of a simulated engine.
final class EngineHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Largest request body, in bytes.
    private static let maximumBodyBytes = 64 << 20
    private static let inferencePaths = [
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/rerank",
    ]

    private let state: EngineState
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var job: EngineJob?

    init(state: EngineState) {
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            self.body.clear()
        case .body(var part):
            guard self.body.readableBytes + part.readableBytes <= Self.maximumBodyBytes else {
                return context.close(promise: nil)
            }
            self.body.writeBuffer(&part)
        case .end:
            if let head = self.head { self.answer(head, context) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.job?.clientHasGone()
        self.job = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let path = head.uri.prefix { $0 != "?" }
        let reply = EngineReply(context: context, keepAlive: head.isKeepAlive)
        switch (head.method, String(path)) {
        case (.POST, let path) where Self.inferencePaths.contains(path): self.infer(head, path, reply)
        case (.GET, "/v1/models"): reply.send(.ok, self.models)
        case (.GET, "/health"): reply.send(.ok, "{}")
        case (.GET, "/metrics"): reply.send(.ok, self.metrics, contentType: "text/plain; version=0.0.4")
        case (_, let path) where Self.inferencePaths.contains(path) || ["/v1/models", "/health"].contains(path):
            reply.sendError(.methodNotAllowed, "Use another method for \(path).")
        default: reply.sendError(.notFound, "There is nothing at this path.")
        }
    }

    private func infer(_ head: HTTPRequestHead, _ path: String, _ reply: EngineReply) {
        let parsed = self.body.withUnsafeReadableBytes { bytes in
            let header = head.headers.first(name: "x-simulator-fault").flatMap { Fault($0) }
            return (Prompt(bytes), header ?? Fault(inBody: bytes))
        }
        guard let prompt = parsed.0 else { return reply.sendError(.badRequest, "The body is not a JSON object.") }
        guard self.state.configuration.models.contains(prompt.model) else {
            return reply.sendError(.notFound, "The model does not exist.", code: "model_not_found")
        }
        let job = EngineJob(
            prompt: prompt,
            fault: parsed.1,
            path: path,
            requestID: head.headers.first(name: "x-request-id"),
            state: self.state,
            reply: reply
        )
        self.job = job
        job.start()
    }

    private var models: String {
        let models = self.state.configuration.models.map { name in
            "{\"id\":\(EngineReply.quoted(name)),\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"simulator\"}"
        }
        return "{\"object\":\"list\",\"data\":[\(models.joined(separator: ","))]}"
    }

    private var metrics: String {
        let label = "{model_name=\(EngineReply.quoted(self.state.configuration.models.first ?? ""))}"
        let load = self.state.load
        return """
            # TYPE vllm:num_requests_running gauge
            vllm:num_requests_running\(label) \(load.running)
            # TYPE vllm:num_requests_waiting gauge
            vllm:num_requests_waiting\(label) \(load.waiting)
            # TYPE vllm:prompt_tokens_total counter
            vllm:prompt_tokens_total\(label) \(self.state.promptTokens)
            # TYPE vllm:generation_tokens_total counter
            vllm:generation_tokens_total\(label) \(self.state.generatedTokens)

            """
    }
}
