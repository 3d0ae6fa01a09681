import NIOCore
import NIOEmbedded
import Testing

@testable import ProtoRPC

@Suite struct BackPressureTests {
    @Test("G6-11 T-22 with too much queued nothing more is read until the client takes its answers")
    func holdsReads() throws {
        let channel = EmbeddedChannel()
        let reads = ReadCounter()
        try channel.pipeline.syncOperations.addHandler(reads)
        _ = try ServerConnection.make(
            on: channel,
            number: 1,
            configuration: RPCServerConfiguration(),
            router: RPCRouter(),
            logger: quietLogger
        )
        channel.pipeline.read()
        #expect(reads.count == 1)
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        channel.pipeline.read()
        channel.pipeline.read()
        #expect(reads.count == 1)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads.count == 2)
        _ = try channel.finish()
    }
}

private final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = Never

    var count = 0

    func read(context: ChannelHandlerContext) {
        self.count += 1
        context.read()
    }
}
