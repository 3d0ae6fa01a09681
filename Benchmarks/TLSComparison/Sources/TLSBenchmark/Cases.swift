import Glibc
import NIOCore
import NIOPosix

/// What one run of a case gave.
struct Sample {
    /// Megabytes or handshakes.
    var amount: Double
    var seconds: Double
    /// Of both sides, which share the process.
    var cpuSeconds: Double

    var rate: Double { self.amount / self.seconds }
    var cpuMicroseconds: Double { self.cpuSeconds / self.amount * 1_000_000 }
}

/// Measures a piece of work.
func sample(amount: Double, _ work: () throws -> Void) rethrows -> Sample {
    func cpu() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let user = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6
        return user + Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) / 1e6
    }
    let clock = ContinuousClock()
    let cpuBefore = cpu()
    let elapsed = try clock.measure(work)
    let (seconds, attoseconds) = elapsed.components
    return Sample(
        amount: amount,
        seconds: Double(seconds) + Double(attoseconds) / 1e18,
        cpuSeconds: cpu() - cpuBefore
    )
}

/// Counts bytes; fulfils its promise when all have come, and answers the first byte if it is asked to.
private final class Sink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var missing: Int
    private let done: EventLoopPromise<Void>?
    private let answers: Bool

    init(expecting bytes: Int, done: EventLoopPromise<Void>?, answers: Bool = false) {
        self.missing = bytes
        self.done = done
        self.answers = answers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.missing -= self.unwrapInboundIn(data).readableBytes
        if self.answers { context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: [1])), promise: nil) }
        if self.missing <= 0 { self.done?.succeed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.done?.fail(error)
        context.close(promise: nil)
    }
}

/// Says that it is there; the other side begins then, with the handshake done.
private final class Greeter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: [1])), promise: nil)
        context.fireChannelActive()
    }
}

/// Writes buffers of one size while the channel takes them, once the other side has said something.
private final class Source: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let chunk: ByteBuffer
    private let perFlush: Int
    private var left: Int
    private var hasBegun = false

    init(bytes: Int, chunkBytes: Int, perFlush: Int) {
        self.chunk = ByteBuffer(repeating: 42, count: chunkBytes)
        self.perFlush = perFlush
        self.left = bytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.hasBegun = true
        self.write(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.hasBegun, context.channel.isWritable { self.write(context) }
    }

    private func write(_ context: ChannelHandlerContext) {
        while self.left > 0, context.channel.isWritable {
            for _ in 0..<self.perFlush where self.left > 0 {
                context.write(self.wrapOutboundOut(self.chunk), promise: nil)
                self.left -= self.chunk.readableBytes
            }
            context.flush()
        }
    }
}

/// Sends `bytes` from a client to a server, one event loop a side.
func bulk(_ stack: Stack, bytes: Int, chunkBytes: Int, perFlush: Int, group: MultiThreadedEventLoopGroup) throws
    -> Sample
{
    let done = group.next().makePromise(of: Void.self)
    let server = try ServerBootstrap(group: group)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers(
                    stack.server() + [Greeter(), Sink(expecting: bytes, done: done)]
                )
            }
        }
        .bind(host: "127.0.0.1", port: 0).wait()
    let port = server.localAddress?.port ?? 0
    let result = try sample(amount: Double(bytes) / 1_000_000) {
        let client = try ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let source = Source(bytes: bytes, chunkBytes: chunkBytes, perFlush: perFlush)
                    try channel.pipeline.syncOperations.addHandlers(stack.client() + [source])
                }
            }
            .connect(host: "127.0.0.1", port: port).wait()
        try done.futureResult.wait()
        client.close(promise: nil)
    }
    try server.close().wait()
    return result
}

/// Connects, sends a byte and awaits one, one connection after the other.
func handshakes(_ stack: Stack, count: Int, group: MultiThreadedEventLoopGroup) throws -> Sample {
    let server = try ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 1_024)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let sink = Sink(expecting: .max, done: nil, answers: true)
                try channel.pipeline.syncOperations.addHandlers(stack.server() + [sink])
            }
        }
        .bind(host: "127.0.0.1", port: 0).wait()
    let port = server.localAddress?.port ?? 0
    let result = try sample(amount: Double(count)) {
        for _ in 0..<count {
            let done = group.next().makePromise(of: Void.self)
            let client = try ClientBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let sink = Sink(expecting: 1, done: done)
                        try channel.pipeline.syncOperations.addHandlers(stack.client() + [sink])
                    }
                }
                .connect(host: "127.0.0.1", port: port).wait()
            client.writeAndFlush(ByteBuffer(bytes: [1]), promise: nil)
            try done.futureResult.wait()
            client.close(promise: nil)
        }
    }
    try server.close().wait()
    return result
}
