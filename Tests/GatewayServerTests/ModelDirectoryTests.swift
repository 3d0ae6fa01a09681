import Logging
import NIOCore
import ProtoMessages
import ProtoRPC
import Synchronization
import Testing

@testable import GatewayServer

@Suite(.timeLimit(.minutes(1))) struct ModelDirectoryTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func whoAsksWhileALookIsUnderWayWaitsForTheNextOne() async throws {
        let (asked, askedSink) = AsyncStream.makeStream(of: Void.self)
        let (answers, answersSink) = AsyncStream.makeStream(of: Bool.self)
        let (gate, gateSink) = AsyncStream.makeStream(of: Void.self)
        let isServed = Atomic(false)
        try await self.withModels {
            let models = isServed.load(ordering: .sequentiallyConsistent) ? [Model(id: "m")] : []
            if models.isEmpty {
                askedSink.yield()
                for await _ in gate {}
            }
            return models
        } body: { directory in
            for await _ in asked.prefix(2) {}
            directory.afterLook { answersSink.yield(directory.has("m")) }
            // What the look under way has asked for is older than this.
            isServed.store(true, ordering: .sequentiallyConsistent)
            gateSink.finish()
            for await answer in answers {
                #expect(answer)
                break
            }
        }
    }

    /// A directory that runs while `body` does, of a scheduler that is named twice and has what `models` gives.
    private func withModels(
        _ models: @escaping @Sendable () async -> [Model],
        body: @escaping @Sendable (ModelDirectory) async throws -> Void
    ) async throws {
        var router = RPCRouter()
        router.register(ModelsService.listModels) { _, _ in ListModelsResponse(models: await models()) }
        let (addresses, sink) = AsyncStream.makeStream(of: SocketAddress.self)
        let server = RPCServer(configuration: RPCServerConfiguration(), router: router, logger: Self.silent) {
            sink.yield($0)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await server.run() }
            let port = try #require(await addresses.first { _ in true }?.port)
            let scheduler = RPCClient.Endpoint(host: "127.0.0.1", port: port)
            let client = RPCClient(configuration: RPCClientConfiguration(endpoints: [scheduler]), logger: Self.silent)
            let directory = ModelDirectory(client: client, schedulers: [scheduler, scheduler], logger: Self.silent)
            group.addTask { await client.run() }
            group.addTask { await directory.run() }
            try await body(directory)
            group.cancelAll()
        }
    }
}
