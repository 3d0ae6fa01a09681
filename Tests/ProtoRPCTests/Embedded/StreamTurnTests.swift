import NIOCore
import NIOEmbedded
import ProtoFraming
import ProtoMessages
import Testing

@testable import ProtoRPC

/// Streams that always have more to send, on connections that take all of it at once.
@Suite(.timeLimit(.minutes(1))) struct StreamTurnTests {
    private typealias Methods = StreamMethods

    /// What a peer got in one go.
    private struct Sent: Equatable {
        var messages = 0
        var responses: [UInt32] = []
        var requests: [UInt32] = []
    }

    private static func sent(on channel: EmbeddedChannel) throws -> Sent {
        var decoder = FrameDecoder()
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { decoder.append(bytes) }
        var sent = Sent()
        while case .frame(let frame) = try decoder.next() {
            switch frame.type {
            case .data: sent.messages += 1
            case .response: sent.responses.append(frame.streamID)
            default: sent.requests.append(frame.streamID)
            }
        }
        return sent
    }

    private static func connected() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    /// Messages of so many bytes until a turn is over.
    private static func messages(inATurnOf bytes: Int) -> Int {
        let frame = FrameHeader.size + bytes
        return (StreamTurns.turnBytes + frame - 1) / frame
    }

    @Test(
        "a server's stream sends for one turn, then calls are answered, also when its messages have no bytes",
        arguments: [0, 100, 1 << 10]
    )
    func server(bytes: Int) throws {
        let channel = try Self.connected()
        var router = RPCRouter()
        router.registerOnEventLoop(Methods.server) { _, _ in EndlessResponder(bytes: bytes) }
        router.registerOnEventLoop(Methods.unary) { request, _ in request }
        let connection = try ServerConnection.make(
            on: channel,
            number: 1,
            configuration: RPCServerConfiguration(),
            router: router,
            logger: quietLogger
        )
        try channel.receive(request(1, service: Methods.service, method: "S", Methods.Message(), flags: .remoteClosed))
        for number: UInt32 in 1..<4 {
            // The turn has ended in time, and no task of the loop goes on with it.
            channel.embeddedEventLoop.run()
            let turn = try Self.sent(on: channel)
            #expect(turn.responses == [])
            let difference = turn.messages - Self.messages(inATurnOf: bytes)
            #expect(difference.magnitude <= FrameWriter.flushBytes / (10 + bytes))
            let streamID = 2 * number + 1
            try channel.receive(request(streamID, service: Methods.service, method: "U", Methods.Message()))
            #expect(try Self.sent(on: channel) == Sent(responses: [streamID]))
            channel.embeddedEventLoop.advanceTime(by: StreamTurns.pause)
        }
        #expect(connection.outbound.usedBytes == 0)
    }

    @Test("a stream that finds no more room goes on after others as well")
    func room() throws {
        let channel = try Self.connected()
        var router = RPCRouter()
        router.registerOnEventLoop(Methods.server) { _, _ in EndlessResponder(bytes: 600) }
        var configuration = RPCServerConfiguration()
        configuration.limits.maximumQueuedStreamBytes = 1_000
        _ = try ServerConnection.make(
            on: channel,
            number: 1,
            configuration: configuration,
            router: router,
            logger: quietLogger
        )
        try channel.receive(request(1, service: Methods.service, method: "S", Methods.Message(), flags: .remoteClosed))
        for _ in 0..<3 {
            channel.embeddedEventLoop.run()
            #expect(try Self.sent(on: channel) == Sent(messages: 1))
            channel.embeddedEventLoop.advanceTime(by: StreamTurns.pause)
        }
    }

    @Test("many streams of several connections have a turn each, and a wake-up gives none more")
    func many() throws {
        let loop = EmbeddedEventLoop()
        var router = RPCRouter()
        let wakers = Wakers()
        router.registerOnEventLoop(Methods.server) { waker, _ in
            wakers.all.append(waker)
            return EndlessResponder(bytes: 100)
        }
        let methods = router
        let channels = try (0..<2).map { _ in
            let channel = EmbeddedChannel(loop: loop)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            _ = try ServerConnection.make(
                on: channel,
                number: 1,
                configuration: RPCServerConfiguration(),
                router: methods,
                logger: quietLogger
            )
            for streamID: UInt32 in [1, 3] {
                let open = try request(
                    streamID,
                    service: Methods.service,
                    method: "S",
                    Methods.Message(),
                    flags: .remoteClosed
                )
                try channel.receive(open)
            }
            return channel
        }
        let turn = Self.messages(inATurnOf: 100)
        for _ in 0..<3 {
            for channel in channels {
                let sent = try Self.sent(on: channel)
                #expect((sent.messages - 2 * turn).magnitude <= 2 * FrameWriter.flushBytes / 110)
            }
            wakers.all.forEach { $0.wake() }
            loop.run()
            #expect(try channels.map { try Self.sent(on: $0).messages } == [0, 0])
            loop.advanceTime(by: StreamTurns.pause)
        }
    }

    @Test("a client's stream sends for one turn, then calls are sent")
    func client() throws {
        let channel = EmbeddedChannel()
        let endpoint = RPCClient.Endpoint(host: "127.0.0.1", port: 1)
        let connection = try ClientConnection.make(
            on: channel,
            endpoint: endpoint,
            configuration: RPCClientConfiguration(endpoints: [endpoint]),
            logger: quietLogger
        )
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let stream = EndlessStream(deadline: channel.embeddedEventLoop.now + .hours(1), bytes: 1 << 10)
        #expect(connection.begin(stream))
        channel.embeddedEventLoop.run()
        let turn = Self.messages(inATurnOf: 1 << 10)
        #expect(try Self.sent(on: channel) == Sent(messages: turn, requests: [1]))
        for number: UInt32 in 1..<4 {
            let call = ClientCall(deadline: channel.embeddedEventLoop.now + .hours(1))
            connection.submit(.start(call, ByteBuffer()))
            connection.goOn(stream)
            channel.embeddedEventLoop.run()
            #expect(try Self.sent(on: channel) == Sent(requests: [2 * number + 1]))
            channel.embeddedEventLoop.advanceTime(by: StreamTurns.pause)
            #expect(try Self.sent(on: channel) == Sent(messages: turn))
        }
    }
}

extension EmbeddedChannel {
    fileprivate func receive(_ frame: Frame) throws {
        var bytes = ByteBuffer()
        frame.write(into: &bytes)
        try self.writeInbound(bytes)
    }
}

/// Those of all streams; used on one thread.
private final class Wakers: @unchecked Sendable {
    var all: [RPCStreamWaker] = []
}

/// Has a message whenever it is asked, up to a number at which a test that waits for its turn's end has failed.
private final class EndlessResponder: RPCStreamResponder {
    private let message: StreamMethods.Message
    private var left = 200_000

    /// - Parameter bytes: of a message, encoded: none, or 3 to 2,000 or so.
    init(bytes: Int) {
        let headerBytes = bytes < 130 ? 2 : 3
        self.message = .init(value: String(repeating: "x", count: max(bytes - headerBytes, 0)))
    }

    func received(_: StreamMethods.Message) {}
    func receivedEnd() {}
    func ended(_: RPCError) {}

    func next() -> RPCStreamStep<StreamMethods.Message> {
        guard self.left > 0 else { return .end }
        self.left -= 1
        return .message(self.message)
    }
}

/// As `EndlessResponder`, on the client.
private final class EndlessStream: ClientEventStream, @unchecked Sendable {
    let deadline: NIODeadline
    private(set) var streamID: UInt32?
    private let data: ByteBuffer
    private var left = 200_000

    init(deadline: NIODeadline, bytes: Int) {
        self.deadline = deadline
        self.data = ByteBuffer(repeating: 0, count: bytes)
    }

    func began(streamID: UInt32) -> Bool {
        self.streamID = streamID
        return true
    }

    func appendRequest(streamID: UInt32, now: NIODeadline, maximumDataBytes: Int, to buffer: inout ByteBuffer) {
        Frame(streamID: streamID, type: .request, flags: .remoteOpen, data: ByteBuffer()).write(into: &buffer)
    }

    func appendNext(on connection: ClientConnection, maximumDataBytes: Int, to buffer: inout ByteBuffer) -> Bool {
        guard self.left > 0 else { return false }
        self.left -= 1
        Frame(streamID: self.streamID ?? 0, type: .data, data: self.data).write(into: &buffer)
        return true
    }

    func received(_: ByteBuffer) -> ClientStreamConsequences { ClientStreamConsequences() }
    func ended() -> Bool { false }
    func failed(_: RPCError) {}
    func tellArrival() {}
}
