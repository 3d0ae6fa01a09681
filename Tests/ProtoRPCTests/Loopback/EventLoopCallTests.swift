import ProtoMessages
import Testing

@testable import ProtoRPC

/// Calls without tasks, on either side.
@Suite(.timeLimit(.minutes(1))) struct EventLoopCallTests {
    private func router() -> RPCRouter {
        var router = RPCRouter()
        router.registerOnEventLoop(
            echo,
            handler: { request, context throws(RPCError) in
                if request.key == "fail" { throw RPCError(code: .aborted, message: "as asked") }
                return Envelope.KeyValue(key: request.key, value: context.metadata["color"] ?? "none")
            }
        )
        return router
    }

    private func answer(
        _ client: RPCClient,
        _ key: String,
        options: CallOptions = CallOptions()
    ) async -> Result<Envelope.KeyValue, RPCError> {
        await withCheckedContinuation { waiter in
            client.call(echo, Envelope.KeyValue(key: key), options: options) { waiter.resume(returning: $0) }
        }
    }

    @Test func aCallByCallbackIsAnsweredByAHandlerOnTheEventLoop() async throws {
        try await withServer(router: self.router()) { server in
            try await withClient(of: server) { client in
                // The first call waits for the connection.
                _ = try await client.echo()
                let answer = await self.answer(client, "a", options: CallOptions(metadata: [("Color", "red")]))
                #expect(answer == .success(Envelope.KeyValue(key: "a", value: "red")))
                #expect(await self.answer(client, "fail") == .failure(RPCError(code: .aborted, message: "as asked")))
            }
        }
    }

    @Test func manyChainsOfCallbacksEndAndLeaveNoCallInFlight() async throws {
        try await withServer(router: self.router()) { server in
            try await withClient(of: server) { client in
                _ = try await client.echo()
                await withTaskGroup(of: Int.self) { group in
                    for _ in 0..<64 {
                        group.addTask {
                            var answered = 0
                            for number in 0..<50 where (try? await self.answer(client, "\(number)").get()) != nil {
                                answered += 1
                            }
                            return answered
                        }
                    }
                    #expect(await group.reduce(0, +) == 64 * 50)
                }
            }
        }
    }

    @Test func withoutAConnectionACallFailsAtOnceAndSaysThatItWasNotSent() async throws {
        let nobody = RPCClient(
            configuration: RPCClientConfiguration(endpoints: [.init(host: "127.0.0.1", port: 1)]),
            logger: quietLogger
        )
        guard case .failure(let error) = await self.answer(nobody, "a") else {
            Issue.record("nobody answered")
            return
        }
        #expect(error.code == .unavailable && error.notSent)
    }

    @Test("G6-11 calls by callback are bounded as well")
    func inFlight() async throws {
        try await withServer(router: self.router()) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.maximumCallsInFlight = 1
            try await withClient(configuration) { client in
                _ = try await client.echo()
                async let first = self.answer(client, "a")
                async let second = self.answer(client, "b")
                let codes = await [first, second].map { result -> RPCStatus.Code in
                    if case .failure(let error) = result { error.code } else { .ok }
                }
                #expect(codes.allSatisfy { $0 == .ok || $0 == .resourceExhausted })
                // The place is free again.
                #expect(await self.answer(client, "c") == .success(Envelope.KeyValue(key: "c", value: "none")))
            }
        }
    }
}
