import Logging
import NIOCore
import NIOPosix
import ProtoFraming
import ProtoMessages
import Testing

@testable import ProtoRPC

@Suite(.timeLimit(.minutes(1)))
struct SocketTimesTests {
    @Test("G6-11 G6-04 T-22 the kernel closes the connection of a client that takes nothing for so long, and no other")
    func unacknowledged() async throws {
        try await withServer(Self.configuration(unacknowledged: .seconds(3_600))) { patient in
            try await withServer(Self.configuration(unacknowledged: .seconds(1))) { strict in
                let deaf = [
                    try await Self.deafClient(port: patient.port), try await Self.deafClient(port: strict.port),
                ]
                // The kernel tells its own side alone: what others see is that the only place is free again.
                while try await !Self.isServed(port: strict.port) { try Task.checkCancellation() }
                #expect(try await !Self.isServed(port: patient.port))
                for client in deaf { try await client.close() }
            }
        }
    }

    @Test("G6-11 the kernel is told all times, of connections that are opened and of those that are accepted")
    func told() async throws {
        var times = SocketTimes()
        times.unacknowledged = .milliseconds(1_500)
        times.silence = .seconds(7)
        times.probeInterval = .seconds(9)
        let expected = [1_500, 7, 9]
        let group = MultiThreadedEventLoopGroup.singleton
        let (accepted, sink) = AsyncStream<any Channel>.makeStream()
        let listener = try await ServerBootstrap(group: group).times(times)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { _ = sink.yield(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        var configuration = RPCClientConfiguration(endpoints: [])
        configuration.socketTimes = times
        let connector = ClientConnector(
            endpoint: RPCClient.Endpoint(host: "127.0.0.1", port: port),
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let opened = try await connector.connect().channel
        let child = try #require(await accepted.first { _ in true })
        for channel in [opened, child] {
            var found: [Int] = []
            for option in [SocketOptions.userTimeout, SocketOptions.keepIdle, SocketOptions.keepInterval] {
                found.append(Int(try await channel.getOption(option).get()))
            }
            #expect(found == expected)
            #expect(try await channel.getOption(.socketOption(.so_keepalive)).get() != 0)
        }
        try await opened.close()
        try await listener.close()
    }

    @Test("G6-11 times that Linux does not take are cut to those that it does")
    func bounds() {
        var times = SocketTimes()
        #expect(times.options.map(\.value) == [20_000, 20, 5])
        (times.unacknowledged, times.silence, times.probeInterval) = (.seconds(-1), .zero, .milliseconds(1))
        #expect(times.options.map(\.value) == [1, 1, 1])
        let long = Duration.seconds(Int64.max)
        (times.unacknowledged, times.silence, times.probeInterval) = (long, long, long)
        #expect(times.options.map(\.value) == [Int(CInt.max), 32_767, 32_767])
    }

    private static func configuration(unacknowledged: Duration) -> RPCServerConfiguration {
        var configuration = RPCServerConfiguration()
        configuration.limits.socketTimes.unacknowledged = unacknowledged
        configuration.limits.maximumConnections = 1
        return configuration
    }

    /// Whether the server has a place for one more connection, and answers there.
    private static func isServed(port: Int) async throws -> Bool {
        try await withRawClient(port: port) { peer in
            do {
                try await peer.send(try request(1, Envelope.KeyValue(key: "k")))
                return try await peer.nextFrame() != nil
            } catch is IOError {
                return false
            } catch is ChannelError {
                return false
            }
        }
    }

    /// A client that asks for more than its kernel takes, and reads nothing.
    private static func deafClient(port: Int) async throws -> any Channel {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_rcvbuf), value: 4_096)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: port).get()
        let frame = try request(1, Envelope.KeyValue(value: String(repeating: "x", count: 1 << 20)))
        var bytes = ByteBuffer()
        frame.write(into: &bytes)
        try await channel.writeAndFlush(bytes)
        return channel
    }
}
