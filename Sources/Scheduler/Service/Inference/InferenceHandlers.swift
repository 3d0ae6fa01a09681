import CurlHTTP
import NIOCore
import ProtoMessages
import ProtoRPC
import SchedulerEngines

/// The service `backfill.v1.Inference`: the one door to the engines.
struct InferenceHandlers: Sendable {
    let dispatcher: Dispatcher

    func register(in router: inout RPCRouter) {
        router.register(InferenceService.infer) { messages, writer, context in
            try await self.infer(messages, writer, context)
        }
        router.register(InferenceService.inferUnary) { request, context in
            try await self.inferUnary(request, context)
        }
    }

    /// Three tasks a call: what comes, what goes, and the request at the engine, whose callbacks take the one and make
    /// the other. The first failure ends all, but what the engine sent before it broke off goes out before; the last
    /// message out ends the call.
    private func infer(
        _ messages: RPCMessages<InferRequest>,
        _ writer: RPCWriter<InferResponse>,
        _ context: RPCContext
    ) async throws {
        let control = TransferControl()
        let exchange = ChunkExchange<InferRequest, InferResponse>(
            onArrival: { control.resume() },
            onRoom: { control.resume() }
        )
        let request = try EngineRequest(try await Self.head(of: messages, exchange), context)
        let call = self.call(request, exchange, control)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await exchange.receive(messages)
                return false
            }
            group.addTask {
                try await exchange.transmit { message throws(RPCError) in try await writer.send(message) }
                return true
            }
            group.addTask {
                do {
                    try await call.run()
                    exchange.finish()
                } catch let error as RPCError {
                    exchange.finish(error)
                }
                return false
            }
            while let isAllSent = try await group.next(), !isAllSent {}
            group.cancelAll()
        }
    }

    private static func head(
        of messages: RPCMessages<InferRequest>,
        _ exchange: ChunkExchange<InferRequest, InferResponse>
    ) async throws(RPCError) -> InferHead {
        var iterator = messages.makeAsyncIterator()
        if let first = try await iterator.next() { try exchange.received(first) }
        guard let head = try exchange.head() else {
            throw RPCErrors.invalid("head", "The first message has to be the head.")
        }
        return head
    }

    private func call(
        _ request: EngineRequest,
        _ exchange: ChunkExchange<InferRequest, InferResponse>,
        _ control: TransferControl
    ) -> EngineCall {
        EngineCall(
            dispatcher: self.dispatcher,
            request: request,
            maximumAnswerBytes: InferLimits.maximumContentBytes,
            control: control,
            read: { buffer in
                guard let bytes = try exchange.take(upTo: buffer.count) else { return nil }
                bytes.withUnsafeReadableBytes { buffer.copyMemory(from: $0) }
                return bytes.readableBytes
            },
            onHead: { exchange.offer(head: InferAnswerHead($0)) },
            onBody: { exchange.offer(ByteBuffer(bytes: $0)) ? .taken : .pause }
        )
    }
}

// MARK: - The short form

extension InferenceHandlers {
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
        let exchange = UnaryExchange(body)
        let call = EngineCall(
            dispatcher: self.dispatcher,
            request: request,
            maximumAnswerBytes: limit,
            control: TransferControl(),
            read: { exchange.read(into: $0) },
            onHead: { exchange.answer(head: InferAnswerHead($0)) },
            onBody: { exchange.answer($0) }
        )
        try await call.run()
        return exchange.response
    }
}

extension InferAnswerHead {
    private static let maximumTypeBytes = 1 << 10

    /// The head of an engine's answer; a content type that is absurdly long is left out.
    fileprivate init(_ head: EngineAnswerHead) {
        self.init(
            status: UInt32(clamping: head.status),
            contentType: head.contentType.utf8.count <= Self.maximumTypeBytes ? head.contentType : "",
            retryAfterMilliseconds: head.retryAfterMilliseconds.map { UInt32(clamping: $0) },
            contentBytes: head.contentBytes.map { UInt64($0) }
        )
    }
}
