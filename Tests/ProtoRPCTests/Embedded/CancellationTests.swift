import NIOCore
import NIOEmbedded
import ProtoFraming
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    @Test("G5-07 the task of a call is cancelled within the event-loop turn that sees its connection end")
    func sameTurn() async throws {
        let stage = Stage()
        let wasCancelled = Flag()
        var router = RPCRouter()
        router.register(echo) { request, _ in
            await withTaskCancellationHandler {
                stage.tell("began")
                await stage.untilCancelled()
            } onCancel: {
                wasCancelled.set()
            }
            return request
        }
        let methods = router
        let loop = NIOAsyncTestingEventLoop()
        let channel = NIOAsyncTestingChannel(loop: loop)
        let connection = try await loop.executeInContext {
            try ServerConnection.make(
                on: channel,
                number: 1,
                configuration: RPCServerConfiguration(),
                router: methods,
                logger: quietLogger
            )
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await connection.serve(maximumDataBytes: 1 << 20, logger: quietLogger) }
            var bytes = ByteBuffer()
            try request(1, Envelope.KeyValue(key: "k")).write(into: &bytes)
            try await channel.writeInbound(bytes)
            #expect(await stage.next() == "began")
            let within = try await loop.executeInContext {
                let before = wasCancelled.isSet
                channel.pipeline.syncOperations.fireChannelInactive()
                return (before, wasCancelled.isSet)
            }
            #expect(within == (false, true))
            try await group.waitForAll()
        }
    }
}

private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { self.value.load(ordering: .sequentiallyConsistent) }

    func set() { self.value.store(true, ordering: .sequentiallyConsistent) }
}
