import GatewayAPI
import InMemoryLogging
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import ProtoRPC
import Testing

@testable import GatewayServer

/// A connection with several requests in its pipeline, without a network: the scheduler never answers.
@Suite(.timeLimit(.minutes(1)))
struct OnlineRequestsTests {
    private let channel = EmbeddedChannel()
    private let log = InMemoryLogHandler()
    private let reads = ReadCounter()

    init() throws {
        let log = self.log
        let scheduler = RPCClient.Endpoint(host: "127.0.0.1", port: 1)
        // It is not run, so that calls wait for a connection.
        let client = RPCClient(configuration: RPCClientConfiguration(endpoints: [scheduler]), logger: Self.silent)
        let keys = KeyCheck(keys: nil)
        let accessLog = AccessLog(logger: Logger(label: "test") { _ in log })
        let service = OnlineService(
            client: client,
            models: ModelDirectory(client: client, schedulers: [scheduler], logger: Self.silent),
            checks: RequestChecks(keys: keys, rates: RateLimiter(limits: nil)),
            budget: BodyBudget(maximumBytes: .max),
            requestTimeout: .seconds(3_600),
            keepAlive: .seconds(3_600),
            accessLog: accessLog
        )
        let pipeline = self.channel.pipeline.syncOperations
        try pipeline.addHandler(self.reads)
        try pipeline.addHandler(HTTPResponseEncoder())
        let connection = HTTPConnectionHandler(
            limits: HTTPLimits(),
            keys: keys,
            accessLog: accessLog,
            online: service,
            wire: try pipeline.context(handlerType: HTTPResponseEncoder.self)
        )
        try pipeline.addHandler(connection)
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    @Test("A10-05 what a client that has left has in its pipeline is dropped", arguments: Leaving.allCases)
    func pipelineOfAClientThatHasLeft(_ leaving: Leaving) throws {
        try self.ask("/v1/chat/completions")
        // One that would go to an engine, one for the tasks behind.
        try self.ask("/v1/embeddings")
        try self.ask("/v1/files")
        #expect(self.log.entries.isEmpty, "the first is under way, the others wait")
        leaving.leave(self.channel)
        #expect(self.log.entries.map { $0.metadata["path"] } == ["/v1/chat/completions"])
        #expect(self.log.entries.map { $0.metadata["status"] } == ["499"])
        #expect(try self.channel.readInbound(as: HTTPServerRequestPart.self) == nil)
        #expect(try self.channel.readOutbound(as: ByteBuffer.self) == nil)
        #expect(!self.channel.isActive)
    }

    @Test("T-22 what a client still sends after its last answer is read on, so that it gets to see the answer")
    func lingering() throws {
        let head = HTTPRequestHead(
            version: .http1_1,
            method: .POST,
            uri: "/v1/nowhere",
            headers: ["host": "a", "content-length": "1000", "connection": "close"]
        )
        try self.channel.writeInbound(HTTPServerRequestPart.head(head))
        #expect(try self.channel.readOutbound(as: ByteBuffer.self) != nil, "it is refused by its head")
        for _ in 1...3 {
            let before = self.reads.count
            // With this the channel tells that the read is complete.
            try self.channel.writeInbound(HTTPServerRequestPart.body(ByteBuffer(string: "more")))
            #expect(self.reads.count == before + 1)
        }
    }

    private func ask(_ path: String) throws {
        let head = HTTPRequestHead(
            version: .http1_1,
            method: .POST,
            uri: path,
            headers: ["host": "a", "content-type": "application/json"]
        )
        try self.channel.writeInbound(HTTPServerRequestPart.head(head))
        try self.channel.writeInbound(HTTPServerRequestPart.body(ByteBuffer(string: #"{"model":"m"}"#)))
        try self.channel.writeInbound(HTTPServerRequestPart.end(nil))
    }

    enum Leaving: CaseIterable {
        case closesItsSide
        case closesTheConnection

        func leave(_ channel: EmbeddedChannel) {
            switch self {
            case .closesItsSide: channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            case .closesTheConnection: channel.close(promise: nil)
            }
            channel.embeddedEventLoop.run()
        }
    }

    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Counts how often more is asked for.
private final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        self.count += 1
        context.read()
    }
}
