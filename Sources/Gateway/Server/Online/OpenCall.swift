import NIOCore
import ProtoMessages
import ProtoRPC

/// A call of `Inference.Infer` that one task keeps open while another one writes its answer to the client.
final class OpenCall: Sendable {
    /// What the engine answers.
    struct Answer: Sendable {
        let head: InferAnswerHead
        let body: InferAnswerBody
    }

    private let head: InferHead
    private let body: HeldBody
    private let options: CallOptions
    private let route: ModelRoute
    private let answers: AsyncStream<Result<Answer, any Error>>
    private let answer: AsyncStream<Result<Answer, any Error>>.Continuation
    private let ends: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation

    init(head: InferHead, body: HeldBody, options: CallOptions, route: ModelRoute) {
        self.head = head
        self.body = body
        self.options = options
        self.route = route
        (self.answers, self.answer) = AsyncStream.makeStream()
        (self.ends, self.end) = AsyncStream.makeStream()
    }

    /// Keeps the call open until the answer has been written or the task is cancelled; for the one task.
    func run(on client: RPCClient) async {
        var (options, route) = (self.options, self.route)
        while true {
            options.endpoint = route.scheduler
            do {
                let pieces = self.body.pieces()
                return try await client.withInference(self.head, body: pieces, options: options) { head, body in
                    self.body.release()
                    self.answer.yield(.success(Answer(head: head, body: body)))
                    for await _ in self.ends {}
                }
            } catch {
                guard await route.goesOn(after: error) else {
                    self.answer.yield(.failure(error))
                    return
                }
            }
        }
    }

    /// Waits for the engine's answer; for the other task.
    /// - Throws: why there is none.
    func firstAnswer() async throws -> Answer {
        for await answer in self.answers { return try answer.get() }
        throw CancellationError()
    }

    /// The answer has been written, or nobody wants it.
    func finish() {
        self.end.finish()
    }
}
