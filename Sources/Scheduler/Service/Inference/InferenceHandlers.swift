import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerEngines

/// The service `backfill.v1.Inference`: the one door to the engines.
struct InferenceHandlers: Sendable {
    let dispatcher: Dispatcher

    func register(in router: inout RPCRouter) {
        router.registerOnEventLoop(InferenceService.infer) { waker, context in
            InferenceCall(dispatcher: self.dispatcher, waker: waker, context: context)
        }
        router.register(InferenceService.inferUnary) { request, context in
            try await self.inferUnary(request, context)
        }
    }

    /// The short form.
    private func inferUnary(_ message: InferUnaryRequest, _ context: RPCContext) async throws -> InferUnaryResponse {
        let limit = InferLimits.maximumUnaryContentBytes
        let body = message.body
        guard body.readableBytes <= limit else {
            throw RPCErrors.invalid("body", "The body is larger than \(limit) bytes: use Infer.")
        }
        let request = try EngineRequest(message.head ?? InferHead(), context)
        guard request.contentBytes == body.readableBytes else {
            throw RPCErrors.invalid(
                "content_bytes",
                "\(body.readableBytes) bytes came where \(request.contentBytes) were announced."
            )
        }
        let answer = UnaryAnswer()
        let sink = EngineCall.Sink(
            maximumBytes: limit,
            onHead: { answer.begin(InferAnswerHead($0)) },
            onBody: { answer.append($0) },
            onTurn: {}
        )
        if let error = await self.run(request, body, sink) { throw error }
        return answer.response
    }

    /// Waits for the end of a request; cancelling the task cancels the request.
    private func run(_ request: EngineRequest, _ body: ByteBuffer, _ sink: EngineCall.Sink) async -> RPCError? {
        let call = EngineCall(request, .whole(body), sink, dispatcher: self.dispatcher)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                call.begin { waiter.resume(returning: $0) }
            }
        } onCancel: {
            call.cancel()
        }
    }
}
