import NIOCore
import NIOPosix
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

/// Where the tasks of calls run.
@Suite(.timeLimit(.minutes(1))) struct TaskPlaceTests {
    private static let elsewhere = RPCMethod<Envelope.KeyValue, Envelope.KeyValue>(service: "test.v1.Echo", name: "Far")

    private func isOnLoop(_ loop: any EventLoop) -> String { loop.inEventLoop ? "loop" : "thread" }

    @Test func tasksOfAMethodStayWhereItWasRegistered() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        var router = RPCRouter()
        router.register(echo, on: .eventLoop) { request, _ in
            let before = self.isOnLoop(loop)
            try await Task.sleep(for: .milliseconds(1))
            return Envelope.KeyValue(key: before, value: self.isOnLoop(loop))
        }
        router.register(Self.elsewhere) { request, _ in
            Envelope.KeyValue(key: self.isOnLoop(loop), value: "")
        }
        var configuration = patientServer
        configuration.eventLoopGroup = group
        try await withServer(configuration, router: router) { server in
            try await withClient(of: server) { client in
                let answer = try await client.call(echo, Envelope.KeyValue())
                #expect(answer == Envelope.KeyValue(key: "loop", value: "loop"))
                #expect(try await client.call(Self.elsewhere, Envelope.KeyValue()).key == "thread")
            }
        }
        try await group.shutdownGracefully()
    }

    @Test func aCallerOnTheClientsEventLoopIsResumedThere() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        try await withServer { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.eventLoopGroup = group
            try await withClient(configuration) { client in
                let places = await withTaskExecutorPreference(EventLoopTaskExecutor(loop)) {
                    let answer = try? await client.call(echo, Envelope.KeyValue(key: "a"))
                    let afterAnswer = self.isOnLoop(loop)
                    let late = try? await client.call(
                        echo,
                        Envelope.KeyValue(key: "b"),
                        options: CallOptions(timeout: .nanoseconds(1))
                    )
                    return [answer?.key, afterAnswer, late?.key, self.isOnLoop(loop)]
                }
                #expect(places == ["a", "loop", nil, "loop"])
                #expect(self.isOnLoop(loop) == "thread")
            }
        }
        try await group.shutdownGracefully()
    }

    @Test("a server ends when its event loops are shut down, also with calls whose tasks ran there")
    func loopIsShutDown() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let stage = Stage()
        var router = RPCRouter()
        router.register(echo, on: .eventLoop) { request, _ in
            stage.tell("began")
            // Not cancelled, so that it goes on only once the loop is gone.
            await stage.curtain.waitUntilOpen()
            stage.tell("went on")
            return request
        }
        let (addresses, sink) = AsyncStream.makeStream(of: SocketAddress.self)
        var configuration = patientServer
        configuration.eventLoopGroup = group
        let server = RPCServer(configuration: configuration, router: router, logger: quietLogger) { sink.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            let port = try #require(await addresses.first { _ in true }?.port)
            try await withRawClient(port: port) { peer in
                try await peer.send(try request(1, Envelope.KeyValue()))
                #expect(await stage.next() == "began")
                try await group.shutdownGracefully()
                #expect(try await peer.nextFrame() == nil)
            }
            stage.curtain.open()
            #expect(await stage.next() == "went on")
            try await tasks.waitForAll()
        }
    }

    @Test("G5-07 a task on the event loop is cancelled at its call's deadline, and the next call is answered")
    func deadline() async throws {
        let wasCancelled = Atomic(false)
        var router = RPCRouter()
        router.register(echo, on: .eventLoop) { request, _ in
            guard request.key == "wait" else { return request }
            do {
                try await Task.sleep(for: .seconds(3_600))
            } catch {
                wasCancelled.store(true, ordering: .sequentiallyConsistent)
                throw error
            }
            return request
        }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                _ = try await client.echo()
                // Long enough for the handler to have begun on a busy machine.
                let options = CallOptions(timeout: .seconds(2))
                let error = await #expect(throws: RPCError.self) {
                    try await client.call(echo, Envelope.KeyValue(key: "wait"), options: options)
                }
                #expect(error?.code == .deadlineExceeded)
                #expect(try await client.call(echo, Envelope.KeyValue(key: "b")).key == "b")
            }
        }
        // The server's end waits for its calls' tasks.
        let isCancelled = wasCancelled.load(ordering: .sequentiallyConsistent)
        #expect(isCancelled)
    }
}
