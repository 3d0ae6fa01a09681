import Glibc
import NIOCore
import NIOPosix
import ProtoFraming
import ProtoMessages
import Synchronization

@testable import ProtoRPC

/// One end of a connection that speaks the framing by hand. Use it from one task.
final class RawConnection {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var decoder = FrameDecoder()
    private var bytes = ByteBuffer()

    init(
        _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.channel = channel
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    func send(_ bytes: ByteBuffer) async throws {
        try await self.outbound.write(bytes)
    }

    func send(_ frames: Frame...) async throws {
        var buffer = ByteBuffer()
        for frame in frames {
            frame.write(into: &buffer)
        }
        try await self.send(buffer)
    }

    /// As many bytes as are asked for, or fewer once the peer has closed.
    func nextBytes(_ count: Int) async throws -> ByteBuffer {
        while self.bytes.readableBytes < count, let more = try await self.nextBytes() {
            self.bytes.writeImmutableBuffer(more)
        }
        return self.bytes.readSlice(length: min(count, self.bytes.readableBytes)) ?? ByteBuffer()
    }

    /// The next frame, or nil once the peer has closed.
    func nextFrame() async throws -> Frame? {
        while true {
            if case .frame(let frame) = try self.decoder.next() { return frame }
            if self.bytes.readableBytes > 0 {
                self.decoder.append(self.bytes)
                self.bytes.clear()
            }
            if case .frame(let frame) = try self.decoder.next() { return frame }
            guard let bytes = try await self.nextBytes() else { return nil }
            self.decoder.append(bytes)
        }
    }

    /// The next response, decoded with the generated types.
    func nextResponse() async throws -> (streamID: UInt32, code: Int32, message: String, payload: ByteBuffer)? {
        guard let frame = try await self.nextFrame(), frame.type == .response else { return nil }
        let response = try Envelope.Response(serialized: frame.data)
        return (frame.streamID, response.status?.code ?? 0, response.status?.message ?? "", response.payload)
    }

    /// Closes so that the peer sees a reset.
    func reset() async {
        let atOnce = linger(l_onoff: 1, l_linger: 0)
        try? await (self.channel.channel as? any SocketOptionProvider)?.setSoLinger(atOnce).get()
        try? await self.channel.channel.close()
    }

    func close() async throws {
        try await self.channel.channel.close()
    }

    private func nextBytes() async throws -> ByteBuffer? {
        do {
            return try await self.inbound.next()
        } catch is IOError {
            // Reset by the peer: it has closed with bytes unread.
            return nil
        }
    }
}

/// A unary request as a stock client sends it, encoded with the generated types.
func request<Message: ProtoMessage>(
    _ streamID: UInt32,
    service: String = "test.v1.Echo",
    method: String = "Echo",
    _ message: Message,
    timeoutNano: Int64 = 0,
    metadata: [Envelope.KeyValue] = [],
    flags: FrameFlags = []
) throws -> Frame {
    let envelope = Envelope.Request(
        service: service,
        method: method,
        payload: try message.serialized(),
        timeoutNano: timeoutNano,
        metadata: metadata
    )
    return Frame(streamID: streamID, type: .request, flags: flags, data: try envelope.serialized())
}

func response(_ streamID: UInt32, _ message: some ProtoMessage) throws -> Frame {
    let envelope = Envelope.Response(payload: try message.serialized())
    return Frame(streamID: streamID, type: .response, data: try envelope.serialized())
}

/// Connects to a server under test.
func withRawClient<Result>(
    port: Int,
    _ body: (RawConnection) async throws -> Result
) async throws -> Result {
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await channel.executeThenClose { inbound, outbound in
        try await body(RawConnection(channel, inbound, outbound))
    }
}

/// A listener whose connections the test serves by hand, one after the other.
func withRawServer<Result>(
    port: Int = 0,
    _ body: (RawListener) async throws -> Result
) async throws -> Result {
    let accepted = AcceptedConnections()
    let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        // Wrapped and read only when the test accepts them: the library traps on a wrapped connection that is forgotten,
        // such as one that comes while the listener closes.
        .childChannelOption(.autoRead, value: false)
        .bind(host: "127.0.0.1", port: port) { connection in
            accepted.add(connection)
            return connection.eventLoop.makeSucceededFuture(connection)
        }
    return try await listener.executeThenClose { inbound in
        let port = listener.channel.localAddress?.port ?? 0
        let rawListener = RawListener(port: port, inbound.makeAsyncIterator())
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(rawListener))
        } catch {
            result = .failure(error)
        }
        listener.channel.close(promise: nil)
        while try await rawListener.next() != nil {}
        accepted.closeAll()
        return try result.get()
    }
}

/// The connections of a listener, those included that nobody ever asked it for.
private final class AcceptedConnections: Sendable {
    private let state = Mutex<(channels: [any Channel], isOver: Bool)>(([], false))

    func add(_ channel: any Channel) {
        let isOver = self.state.withLock { state in
            state.channels.append(channel)
            return state.isOver
        }
        if isOver { channel.close(promise: nil) }
    }

    /// Closes them, and all that still come.
    func closeAll() {
        let channels = self.state.withLock { state in
            state.isOver = true
            return state.channels
        }
        for channel in channels { channel.close(promise: nil) }
    }
}

final class RawListener {
    let port: Int
    private var connections: NIOAsyncChannelInboundStream<any Channel>.AsyncIterator

    init(
        port: Int,
        _ connections: NIOAsyncChannelInboundStream<any Channel>.AsyncIterator
    ) {
        self.port = port
        self.connections = connections
    }

    /// Waits for the next connection.
    func next() async throws -> (any Channel)? { try await self.connections.next() }

    /// Waits for the next connection and serves it.
    func accept<Result>(_ body: (RawConnection) async throws -> Result) async throws -> Result? {
        guard let connection = try await self.next() else { return nil }
        let channel = try await connection.eventLoop.submit {
            let channel = try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: connection)
            try connection.syncOptions?.setOption(.autoRead, value: true)
            return channel
        }.get()
        return try await channel.executeThenClose { inbound, outbound in
            try await body(RawConnection(channel, inbound, outbound))
        }
    }
}

/// Runs a client of ours, with one connection, against a server that the test plays.
func withScriptedServer(
    configure: @Sendable (inout RPCClientConfiguration) -> Void = { _ in },
    _ script: @escaping @Sendable (RawListener) async throws -> Void,
    client body: @escaping @Sendable (RPCClient) async throws -> Void
) async throws {
    let (ports, sink) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            try await withRawServer { listener in
                sink.yield(listener.port)
                try await script(listener)
            }
        }
        guard let port = await ports.first(where: { _ in true }) else { throw ServerDidNotStart() }
        var configuration = patientClient(of: [.init(host: "127.0.0.1", port: port)])
        configuration.lanes = [.control]
        configure(&configuration)
        try await withClient(configuration, body)
        try await group.waitForAll()
    }
}
