import NIOCore
import NIOEmbedded
import ProtoFraming
import ProtoMessages
import Synchronization
import Testing

@testable import ProtoRPC

@Suite(.timeLimit(.minutes(1))) struct StreamBackPressureTests {
    fileprivate static let messages = 40
    private static let limit = 1 << 20

    @Test("G6-11 a handler that sends more than the socket takes waits, and goes on when it takes more")
    func producerWaits() async throws {
        let socket = StuckSocket()
        let sent = Mutex(0)
        let stage = Stage()
        var router = RPCRouter()
        router.register(StreamMethods.server) { _, writer, _ in
            let message = StreamMethods.Message(value: String(repeating: "x", count: Self.limit / 4 - 16))
            for index in 1...Self.messages {
                try await writer.send(message)
                let bytes = sent.withLock {
                    $0 += Self.limit / 4 - 16
                    return $0
                }
                #expect(bytes - socket.writtenBytes <= Self.limit, "message \(index)")
                stage.tell("\(index)")
            }
        }
        let connection = try await self.connection(router, socket)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await connection.serve(maximumDataBytes: 4 << 20, logger: quietLogger) }
            for index in 1...4 { #expect(await stage.next() == "\(index)") }
            #expect(connection.outbound.usedBytes <= Self.limit)
            try await connection.channel.eventLoop.submit { socket.open() }.get()
            for index in 5...Self.messages { #expect(await stage.next() == "\(index)") }
            try await connection.channel.close()
            try await group.waitForAll()
        }
    }

    @Test("G6-11 a responder is asked for no more than the socket takes, and goes on when it takes more")
    func responderWaits() async throws {
        let socket = StuckSocket()
        let stage = Stage()
        var router = RPCRouter()
        let woken = Mutex<RPCStreamWaker?>(nil)
        router.registerOnEventLoop(StreamMethods.server) { waker, _ in
            woken.withLock { $0 = waker }
            return EagerResponder(stage, Self.limit / 4 - 16)
        }
        let connection = try await self.connection(router, socket)
        // Four fit; the fifth is kept. Each is a turn of its own.
        try await self.passTurns(5, connection)
        for index in 1...5 { #expect(await stage.next() == "\(index)") }
        #expect(connection.outbound.usedBytes == 4 * (Self.limit / 4 - 16 + 4))
        try await connection.channel.eventLoop.submit { stage.tell("nothing was asked meanwhile") }.get()
        #expect(await stage.next() == "nothing was asked meanwhile")
        // Woken for another reason while it waits: it must not wait twice, since the second room would be nobody's.
        try #require(woken.withLock { $0 }).wake()
        try await self.passTurns(1, connection)
        try await connection.channel.eventLoop.submit {}.get()
        try await connection.channel.eventLoop.submit { socket.open() }.get()
        try await self.passTurns(Self.messages, connection)
        for index in 6...Self.messages { #expect(await stage.next() == "\(index)") }
        #expect(await stage.next() == "end")
        try await connection.channel.close()
        #expect(connection.outbound.usedBytes == 0)
    }

    private func passTurns(_ count: Int, _ connection: ServerConnection) async throws {
        let loop = try #require(connection.channel.eventLoop as? NIOAsyncTestingEventLoop)
        for _ in 0..<count { await loop.advanceTime(by: StreamTurns.pause) }
    }

    private final class EagerResponder: RPCStreamResponder {
        private let stage: Stage
        private let message: StreamMethods.Message
        private var given = 0

        init(_ stage: Stage, _ bytes: Int) {
            self.stage = stage
            self.message = StreamMethods.Message(value: String(repeating: "x", count: bytes))
        }

        func received(_: StreamMethods.Message) {}
        func receivedEnd() {}
        func ended(_: RPCError) {}

        func next() -> RPCStreamStep<StreamMethods.Message> {
            guard self.given < StreamBackPressureTests.messages else {
                self.stage.tell("end")
                return .end
            }
            self.given += 1
            self.stage.tell("\(self.given)")
            return .message(self.message)
        }
    }

    @Test("a handler that waits for the socket is told when the connection is gone")
    func connectionGone() async throws {
        let stage = Stage()
        var router = RPCRouter()
        router.register(StreamMethods.server) { _, writer, _ in
            let message = StreamMethods.Message(value: String(repeating: "x", count: Self.limit / 2 - 16))
            let error = await failure {
                while true {
                    try await writer.send(message)
                    stage.tell("sent")
                }
            }
            stage.tell("\(error?.code ?? .ok)")
        }
        let connection = try await self.connection(router, StuckSocket())
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await connection.serve(maximumDataBytes: 4 << 20, logger: quietLogger) }
            for _ in 0..<2 { #expect(await stage.next() == "sent") }
            connection.channel.close(promise: nil)
            var event = await stage.next()
            // What was on its way is not any more, which may let one more in.
            while event == "sent" { event = await stage.next() }
            #expect(event == "CANCELLED" || event == "UNAVAILABLE")
        }
    }

    private func connection(_ router: RPCRouter, _ socket: StuckSocket) async throws -> ServerConnection {
        let channel = NIOAsyncTestingChannel()
        var configuration = RPCServerConfiguration()
        configuration.limits.maximumQueuedStreamBytes = Self.limit
        let settings = configuration
        let connection = try await channel.testingEventLoop.executeInContext {
            try channel.pipeline.syncOperations.addHandler(StuckSocketHandler(socket))
            return try ServerConnection.make(
                on: channel,
                number: 1,
                configuration: settings,
                router: router,
                logger: quietLogger
            )
        }
        try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/nowhere"))
        var bytes = ByteBuffer()
        let call = try request(
            1,
            service: StreamMethods.service,
            method: "S",
            StreamMethods.Message(),
            flags: .remoteClosed
        )
        call.write(into: &bytes)
        try await channel.writeInbound(bytes)
        return connection
    }
}

/// A socket that takes nothing until it is opened.
private final class StuckSocket: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [(bytes: Int, promise: EventLoopPromise<Void>?)] = []
        var writtenBytes = 0
    }

    private let state = Mutex(State())

    var writtenBytes: Int { self.state.withLock { $0.writtenBytes } }

    func write(_ bytes: Int, _ promise: EventLoopPromise<Void>?) {
        self.state.withLock { $0.waiting.append((bytes, promise)) }
        self.takeIfOpen()
    }

    func open() {
        self.state.withLock { $0.isOpen = true }
        self.takeIfOpen()
    }

    private func takeIfOpen() {
        let taken = self.state.withLock { state in
            guard state.isOpen else { return [(bytes: Int, promise: EventLoopPromise<Void>?)]() }
            defer { state.waiting = [] }
            state.writtenBytes += state.waiting.reduce(0) { $0 + $1.bytes }
            return state.waiting
        }
        for (_, promise) in taken { promise?.succeed() }
    }

    func close() {
        let waiting = self.state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
    }
}

private final class StuckSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private let socket: StuckSocket

    init(_ socket: StuckSocket) {
        self.socket = socket
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.socket.write(self.unwrapOutboundIn(data).readableBytes, promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.socket.close()
        context.fireChannelInactive()
    }
}
