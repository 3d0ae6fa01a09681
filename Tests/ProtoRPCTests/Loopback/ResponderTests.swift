import NIOCore
import ProtoFraming
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

/// Streams that responders answer on the event loop. That they have the protocol's bytes is what `StreamModelTests` and
/// `ServerStreamProtocolTests` show.
@Suite(.timeLimit(.minutes(1))) struct ResponderTests {
    private typealias Methods = StreamMethods

    @Test("what happens elsewhere wakes the stream, from any thread, however often")
    func wakes() async throws {
        let log = ResponderLog()
        var router = RPCRouter()
        router.registerOnEventLoop(Methods.both) { waker, _ in LoggedResponder(log, waker) }
        try await withServer(router: router) { server in
            try await withClient(of: server) { client in
                try await client.withStream(Methods.both) { writer, messages in
                    try await writer.send(.init(key: "a"))
                    #expect(await log.stage.next() == "received a")
                    var iterator = messages.makeAsyncIterator()
                    for number in 0..<100 {
                        await withTaskGroup(of: Void.self) { group in
                            log.offer(.message(.init(key: "\(number)")))
                            for _ in 0..<3 { group.addTask { log.wake() } }
                        }
                        #expect(try await iterator.next()?.key == "\(number)")
                    }
                    log.offer(.end)
                    log.wake()
                    #expect(try await iterator.next() == nil)
                }
                // Nobody is there any more.
                log.wake()
                #expect(log.endings == [])
            }
        }
    }

    @Test("a deadline, a cancel and a lost connection end the stream and tell the responder, once")
    func endings() async throws {
        let log = ResponderLog()
        var router = RPCRouter()
        router.registerOnEventLoop(Methods.both) { waker, _ in LoggedResponder(log, waker) }
        try await withServer(router: router) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(
                    Frame(
                        streamID: 1,
                        type: .request,
                        flags: [.remoteOpen, .noData],
                        data: try Envelope.Request(service: Methods.service, method: "B", timeoutNano: 1)
                            .serialized()
                    )
                )
                #expect(try await peer.nextResponse()?.code == RPCStatus.Code.deadlineExceeded.rawValue)
                #expect(await log.stage.next() == "ended DEADLINE_EXCEEDED")
                try await peer.send(try Methods.open(3, "B"))
                try await peer.send(
                    try request(
                        5,
                        service: SessionService.name,
                        method: SessionService.cancel.name,
                        CancelRequest(streamID: 3)
                    )
                )
                #expect(try await peer.nextResponse()?.code == RPCStatus.Code.cancelled.rawValue)
                #expect(await log.stage.next() == "ended CANCELLED")
                _ = try await peer.nextResponse()
                try await peer.send(try Methods.open(7, "B"), Methods.data(7, "a"))
                #expect(await log.stage.next() == "received a")
            }
            #expect(await log.stage.next() == "ended CANCELLED")
        }
        #expect(log.endings.count == 3)
    }

    @Test("a responder that refuses a message ends the stream with its error, and is told")
    func refusals() async throws {
        let log = ResponderLog()
        var router = RPCRouter()
        router.registerOnEventLoop(Methods.both) { waker, _ in LoggedResponder(log, waker) }
        try await withServer(router: router) { server in
            try await withRawClient(port: server.port) { peer in
                try await peer.send(try Methods.open(1, "B"), Methods.data(1, "fail"), Methods.data(1, "more"))
                let answer = try await peer.nextResponse()
                #expect(answer?.code == RPCStatus.Code.aborted.rawValue)
                // The stream is over: data for it is what it always is then (G4-02).
                #expect(try await peer.nextResponse()?.message == "StreamID is no longer active")
                #expect(await log.stage.next() == "ended ABORTED")
            }
        }
        #expect(log.endings.count == 1)
    }

    @Test("G6-11 the place of a call is free when its responder has ended")
    func places() async throws {
        var configuration = patientServer
        configuration.limits.maximumStreams = 1
        var router = RPCRouter()
        let log = ResponderLog()
        router.registerOnEventLoop(Methods.both) { waker, _ in LoggedResponder(log, waker) }
        try await withServer(configuration, router: router) { server in
            try await withRawClient(port: server.port) { peer in
                for index in 0..<3 {
                    let streamID = UInt32(4 * index + 1)
                    try await peer.send(try Methods.open(streamID, "B"), Methods.open(streamID + 2, "B"))
                    let refusal = try await peer.nextResponse()
                    #expect(refusal?.streamID == streamID + 2)
                    #expect(refusal?.code == RPCStatus.Code.resourceExhausted.rawValue)
                    try await peer.send(try Methods.data(streamID, "fail"))
                    #expect(try await peer.nextResponse()?.code == RPCStatus.Code.aborted.rawValue)
                }
            }
        }
    }
}

/// What a test's responder is told, and what it has to send.
private final class ResponderLog: Sendable {
    private struct State {
        var steps: [RPCStreamStep<StreamMethods.Message>] = []
        var endings: [RPCStatus.Code] = []
        var waker: RPCStreamWaker?
    }

    let stage = Stage()
    private let state = Mutex(State())

    var endings: [RPCStatus.Code] { self.state.withLock { $0.endings } }

    func offer(_ step: RPCStreamStep<StreamMethods.Message>) {
        self.state.withLock { $0.steps.append(step) }
    }

    func wake() {
        self.state.withLock { $0.waker }?.wake()
    }

    func began(_ waker: RPCStreamWaker) {
        self.state.withLock { $0.waker = waker }
    }

    func next() -> RPCStreamStep<StreamMethods.Message> {
        self.state.withLock { $0.steps.isEmpty ? .wait : $0.steps.removeFirst() }
    }

    func ended(_ error: RPCError) {
        self.state.withLock { $0.endings.append(error.code) }
        self.stage.tell("ended \(error.code)")
    }
}

private final class LoggedResponder: RPCStreamResponder {
    private let log: ResponderLog

    init(_ log: ResponderLog, _ waker: RPCStreamWaker) {
        self.log = log
        log.began(waker)
    }

    func received(_ message: StreamMethods.Message) throws(RPCError) {
        if message.key == "fail" { throw RPCError(code: .aborted, message: "no") }
        self.log.stage.tell("received \(message.key)")
    }

    func receivedEnd() {}

    func next() -> RPCStreamStep<StreamMethods.Message> { self.log.next() }

    func ended(_ error: RPCError) { self.log.ended(error) }
}
