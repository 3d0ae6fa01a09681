import Dispatch
import NIOCore
import ProtoFraming
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

/// Streams that are told on the client's event loop are left: in a message, on another thread, by what cannot be read.
@Suite(.timeLimit(.minutes(1))) struct EventLoopStreamLeavingTests {
    private typealias Methods = StreamMethods
    private typealias Message = StreamMethods.Message

    @Test("what came in the same read as the message that leaves a stream is not told")
    func sameRead() async throws {
        let stage = Stage()
        try await withScriptedServer { listener in
            _ = try await listener.accept { connection in
                for _ in 0..<2 { _ = try await connection.nextFrame() }
                await stage.curtain.waitUntilOpen()
                // Some messages that are taken together, and one by itself.
                let run = try Methods.data(1, "a")
                try await connection.send(run, run, run, try Methods.data(3, "b"), run, Methods.end(3))
                while try await connection.nextFrame() != nil {}
            }
        } client: { client in
            await client.until { $0.count == 1 }
            let left = Mutex<RPCStreamCall?>(nil)
            let told = Mutex<[String]>([])
            let call = client.stream(Methods.server, Message()) { message in
                told.withLock { $0.append(message.key) }
                left.withLock { $0 }?.cancel()
            } completion: { _ in
                told.withLock { $0.append("end") }
            }
            left.withLock { $0 = call }
            client.stream(Methods.server, Message()) { message in
                told.withLock { $0.append(message.key) }
            } completion: { _ in
                stage.tell("end")
            }
            stage.curtain.open()
            #expect(await stage.next() == "end")
            #expect(told.withLock { $0 } == ["a", "b"])
        }
    }

    @Test("what is left on another thread while the event loop is busy is not told any more, nor asked for")
    func busyLoop() async throws {
        try await withScriptedServer { listener in
            _ = try await listener.accept { connection in
                for _ in 0..<2 { _ = try await connection.nextFrame() }
                try await connection.send(
                    try Methods.data(3, "busy"),
                    try Methods.data(1, "a"),
                    Methods.end(1),
                    Methods.end(3)
                )
                // What comes next, of the stream that was left before it was written and of a call.
                guard let frame = try await connection.nextFrame() else { return }
                let asked = try Envelope.Request(serialized: frame.data)
                try await connection.send(try response(frame.streamID, Message(key: asked.method)))
            }
        } client: { client in
            await client.until { $0.count == 1 }
            let told = Mutex<[String]>([])
            let unwanted = client.stream(Methods.server, Message()) { message in
                told.withLock { $0.append(message.key) }
            } completion: { _ in
                told.withLock { $0.append("end") }
            }
            let hasEnded = Curtain()
            client.stream(Methods.server, Message()) { _ in
                // The event loop waits here until the others have left.
                let haveLeft = DispatchSemaphore(value: 0)
                DispatchQueue.global().async {
                    unwanted.cancel()
                    client.stream(Methods.server, Message()) { _ in
                    } completion: { _ in
                    }.cancel()
                    haveLeft.signal()
                }
                haveLeft.wait()
            } completion: { _ in
                hasEnded.open()
            }
            await hasEnded.waitUntilOpen()
            #expect(told.withLock { $0 } == [])
            let asked = try await client.call(Methods.unary, Message())
            #expect(asked.key == Methods.unary.name)
        }
    }

    @Test("G5-07 the server is told that a stream ended here at a message that cannot be read", arguments: [1, 100])
    func unreadable(_ messages: Int) async throws {
        let stage = Stage()
        var router = RPCRouter()
        router.registerOnEventLoop(UnreadableResponder.method) { _, _ in UnreadableResponder(stage, messages) }
        try await withServer(router: router) { server in
            var configuration = patientClient(of: [server.endpoint])
            configuration.usesSession = true
            configuration.lanes = [.control]
            try await withClient(configuration) { client in
                try await client.untilGreeted()
                client.stream(Methods.server, Message()) { _ in
                    stage.tell("a message")
                } completion: { result in
                    guard case .failure(let error) = result else { return stage.tell("end") }
                    stage.tell("failed \(error.code)")
                }
                let events = [await stage.next(), await stage.next()]
                #expect(events == ["failed INTERNAL", "ended CANCELLED"])
            }
        }
    }
}

/// Sends messages of another type than its client expects, whose bytes are no text, and does not end then.
private final class UnreadableResponder: RPCStreamResponder {
    static let method = RPCServerStreamMethod<StreamMethods.Message, InferChunk>(
        service: StreamMethods.service,
        name: StreamMethods.server.name
    )
    private let stage: Stage
    private var left: Int

    init(_ stage: Stage, _ messages: Int) {
        self.stage = stage
        self.left = messages
    }

    func received(_: StreamMethods.Message) {}
    func receivedEnd() {}
    func ended(_ error: RPCError) { self.stage.tell("ended \(error.code)") }

    func next() -> RPCStreamStep<InferChunk> {
        guard self.left > 0 else { return .wait }
        self.left -= 1
        return .message(InferChunk(data: ByteBuffer(bytes: [0xff])))
    }
}
