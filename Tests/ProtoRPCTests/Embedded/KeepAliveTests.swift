import NIOCore
import NIOEmbedded
import ProtoFraming
import ProtoMessages
import Testing

@testable import ProtoRPC

/// Connections on a loop whose time the tests move.
@Suite(.timeLimit(.minutes(1))) struct KeepAliveTests {
    @Test("G6-04 a client pings a server that is silent and closes after two pings without an answer")
    func client() async throws {
        let server = try SilentServer()
        try server.sayHello(SessionLimits(version: 1))
        let call = ClientCall(deadline: server.now + .seconds(3_600))
        server.connection.submit(.start(call, ByteBuffer()))
        server.channel.embeddedEventLoop.run()
        #expect(try server.sentMethods() == ["Watch", ""])
        server.advance(.milliseconds(9_999))
        #expect(try server.sentMethods() == [])
        for _ in 0..<2 {
            server.advance(.milliseconds(1))
            #expect(try server.sentMethods() == ["Ping"])
            server.advance(.milliseconds(9_999))
            #expect(server.channel.isActive)
        }
        server.advance(.milliseconds(1))
        #expect(!server.channel.isActive)
        #expect(server.connection.hasEnded)
        #expect(await call.outcome?.code == .unavailable)
        #expect(await call.outcome?.notSent == false, "it may have run")
    }

    @Test("G6-04 any byte is a sign of life")
    func answers() throws {
        let server = try SilentServer()
        try server.sayHello(SessionLimits(version: 1))
        _ = try server.sentMethods()
        for _ in 0..<10 {
            server.advance(.seconds(10))
            #expect(try server.sentMethods() == ["Ping"])
            server.advance(.seconds(10))
            #expect(try server.sentMethods() == ["Ping"])
            // A header of a frame that nobody waits for, a piece at a time.
            try server.channel.writeInbound(ByteBuffer(bytes: [0, 0]))
            try server.channel.writeInbound(ByteBuffer(bytes: [0, 0, 0, 0, 0, 99, 2, 0]))
        }
        #expect(server.channel.isActive)
    }

    @Test(
        "G6-04 a stock server, and any when it is not wished, gets no pings",
        arguments: [RPCStatus.Code.unimplemented, .invalidArgument, nil]
    )
    func stock(code: RPCStatus.Code?) throws {
        let server = try SilentServer(keepAlive: code == nil ? nil : KeepAlive())
        if let code {
            #expect(server.hello.client?.pingIntervalMilliseconds == 10_000)
            try server.answer(1, Envelope.Response(status: Envelope.Status(code: code.rawValue)))
        } else {
            #expect(server.hello.client?.pingIntervalMilliseconds == 0)
            try server.sayHello(SessionLimits(version: 1))
            #expect(try server.sentMethods() == ["Watch"])
        }
        server.advance(.hours(1))
        #expect(try server.sentMethods() == [])
        #expect(server.channel.isActive)
    }

    @Test("G6-04 a server closes the connection of a client that said it would ping and does not")
    func server() throws {
        let client = try SilentClient()
        try client.send(SessionService.hello, HelloRequest(client: SessionLimits(pingIntervalMilliseconds: 10_000)), 1)
        client.advance(.seconds(29))
        try client.send(SessionService.ping, PingRequest(), 3)
        client.advance(.milliseconds(29_999))
        #expect(client.channel.isActive)
        client.advance(.milliseconds(1))
        #expect(!client.channel.isActive)
    }

    @Test("G6-04 a server leaves a client alone that did not say that it pings", arguments: [false, true])
    func stockClient(saysHello: Bool) throws {
        let client = try SilentClient()
        let hello = HelloRequest(client: saysHello ? SessionLimits(version: 1) : nil)
        try client.send(SessionService.hello, hello, 1)
        client.advance(.hours(1))
        #expect(client.channel.isActive)
    }

    @Test("G6-04 an interval that no clock holds is no interval", arguments: [1, UInt64.max])
    func hostileInterval(milliseconds: UInt64) throws {
        let client = try SilentClient()
        let limits = SessionLimits(pingIntervalMilliseconds: milliseconds)
        for streamID: UInt32 in [1, 3] {
            try client.send(SessionService.hello, HelloRequest(client: limits), streamID)
        }
        client.advance(.milliseconds(2_999))
        #expect(client.channel.isActive)
        client.advance(.milliseconds(1))
        #expect(client.channel.isActive == (milliseconds > 1))
    }
}

/// The test's end of a connection of ours to a server.
private struct SilentServer {
    let channel = EmbeddedChannel()
    let connection: ClientConnection
    let hello: HelloRequest

    init(keepAlive: KeepAlive? = KeepAlive()) throws {
        let endpoint = RPCClient.Endpoint(host: "127.0.0.1", port: 1)
        self.connection = try ClientConnection.make(
            on: self.channel,
            endpoint: endpoint,
            configuration: RPCClientConfiguration(endpoints: [endpoint], keepAlive: keepAlive),
            logger: quietLogger
        )
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        self.connection.greet()
        self.channel.embeddedEventLoop.run()
        let envelope = try Self.requests(self.channel).first
        self.hello = try HelloRequest(serialized: envelope?.payload ?? ByteBuffer())
    }

    var now: NIODeadline { self.channel.embeddedEventLoop.now }

    func advance(_ time: TimeAmount) {
        self.channel.embeddedEventLoop.advanceTime(by: time)
    }

    func sayHello(_ limits: SessionLimits) throws {
        let answer = HelloResponse(server: limits)
        try self.answer(1, Envelope.Response(payload: try answer.serialized()))
    }

    func answer(_ streamID: UInt32, _ response: Envelope.Response) throws {
        var bytes = ByteBuffer()
        Frame(streamID: streamID, type: .response, data: try response.serialized()).write(into: &bytes)
        try self.channel.writeInbound(bytes)
    }

    /// The methods of the calls that came since the last time.
    func sentMethods() throws -> [String] {
        try Self.requests(self.channel).map(\.method)
    }

    private static func requests(_ channel: EmbeddedChannel) throws -> [Envelope.Request] {
        var decoder = FrameDecoder()
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { decoder.append(bytes) }
        var requests: [Envelope.Request] = []
        while case .frame(let frame) = try decoder.next() {
            requests.append(try Envelope.Request(serialized: frame.data))
        }
        return requests
    }
}

/// The test's end of a client's connection to a server of ours.
private struct SilentClient {
    let channel = EmbeddedChannel()

    init() throws {
        let configuration = RPCServerConfiguration()
        _ = try ServerConnection.make(
            on: self.channel,
            number: 1,
            configuration: configuration,
            router: SessionMethods.added(to: echoRouter(), configuration: configuration),
            logger: quietLogger
        )
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func send<Request, Response>(_ method: RPCMethod<Request, Response>, _ message: Request, _ streamID: UInt32) throws
    {
        var bytes = ByteBuffer()
        try request(streamID, service: method.service, method: method.name, message).write(into: &bytes)
        try self.channel.writeInbound(bytes)
    }

    func advance(_ time: TimeAmount) {
        self.channel.embeddedEventLoop.advanceTime(by: time)
    }
}
