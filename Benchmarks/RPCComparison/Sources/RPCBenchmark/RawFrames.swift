import NIOCore
import NIOPosix

/// The reference: frames of ten bytes of header and a payload, by callbacks on the event loops, without protobuf, ids,
/// deadlines or limits. Everything that came in one read is answered by one write.
enum RawFrames {
    static let headerBytes = 10

    /// Calls `handle` for each frame's payload.
    struct Splitter {
        private var buffered = ByteBuffer()

        mutating func append(_ bytes: ByteBuffer, handle: (ByteBuffer) -> Void) {
            if self.buffered.readableBytes == 0 {
                self.buffered = bytes
            } else {
                self.buffered.writeImmutableBuffer(bytes)
            }
            while let length = self.buffered.getInteger(at: self.buffered.readerIndex, as: UInt32.self),
                self.buffered.readableBytes >= RawFrames.headerBytes + Int(length)
            {
                self.buffered.moveReaderIndex(forwardBy: RawFrames.headerBytes)
                guard let payload = self.buffered.readSlice(length: Int(length)) else { return }
                handle(payload)
            }
        }
    }

    static func write(_ payload: ByteBuffer, into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt32(payload.readableBytes))
        buffer.writeRepeatingByte(0, count: 6)
        buffer.writeImmutableBuffer(payload)
    }

    /// Sends each frame back.
    final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private var splitter = Splitter()
        private var output = ByteBuffer()

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.splitter.append(self.unwrapInboundIn(data)) { RawFrames.write($0, into: &self.output) }
        }

        func channelReadComplete(context: ChannelHandlerContext) {
            guard self.output.readableBytes > 0 else { return }
            let output = self.output
            self.output = context.channel.allocator.buffer(capacity: output.capacity)
            context.writeAndFlush(self.wrapOutboundOut(output), promise: nil)
        }
    }

    /// Keeps a number of frames in flight until a count has come back.
    final class Caller: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let payload: ByteBuffer
        private let inFlight: Int
        private var toSend: Int
        private var missing: Int
        private let done: EventLoopPromise<Void>
        private var splitter = Splitter()
        private var output = ByteBuffer()

        init(payload: ByteBuffer, inFlight: Int, count: Int, done: EventLoopPromise<Void>) {
            self.payload = payload
            self.inFlight = inFlight
            self.toSend = count
            self.missing = count
            self.done = done
        }

        func channelActive(context: ChannelHandlerContext) {
            for _ in 0..<self.inFlight { self.send() }
            self.flush(context)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.splitter.append(self.unwrapInboundIn(data)) { _ in
                self.missing -= 1
                self.send()
            }
            if self.missing == 0 { self.done.succeed() }
        }

        func channelReadComplete(context: ChannelHandlerContext) {
            self.flush(context)
        }

        private func send() {
            guard self.toSend > 0 else { return }
            self.toSend -= 1
            RawFrames.write(self.payload, into: &self.output)
        }

        private func flush(_ context: ChannelHandlerContext) {
            guard self.output.readableBytes > 0 else { return }
            let output = self.output
            self.output = context.channel.allocator.buffer(capacity: output.capacity)
            context.writeAndFlush(self.wrapOutboundOut(output), promise: nil)
        }
    }

    /// Sends frames while the channel takes them.
    final class Source: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let payload: ByteBuffer
        private var left: Int

        init(payload: ByteBuffer, count: Int) {
            self.payload = payload
            self.left = count
        }

        func channelActive(context: ChannelHandlerContext) {
            self.write(context)
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            self.write(context)
        }

        private func write(_ context: ChannelHandlerContext) {
            while self.left > 0, context.channel.isWritable {
                var output = context.channel.allocator.buffer(capacity: 16_384)
                while self.left > 0, output.readableBytes < 16_384 {
                    RawFrames.write(self.payload, into: &output)
                    self.left -= 1
                }
                context.writeAndFlush(self.wrapOutboundOut(output), promise: nil)
            }
        }
    }

    /// Counts frames.
    final class Sink: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private var missing: Int
        private let done: EventLoopPromise<Void>
        private var splitter = Splitter()

        init(count: Int, done: EventLoopPromise<Void>) {
            self.missing = count
            self.done = done
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.splitter.append(self.unwrapInboundIn(data)) { _ in self.missing -= 1 }
            if self.missing <= 0 { self.done.succeed() }
        }
    }

    /// Round trips of 1 connection.
    static func echo(payloadBytes: Int, inFlight: Int, count: Int, loops: EventLoops) async throws -> Sample {
        let done = loops.client.next().makePromise(of: Void.self)
        return try await self.run(amount: count, loops: loops, done: done.futureResult) {
            Echo()
        } client: {
            Caller(
                payload: ByteBuffer(repeating: 42, count: payloadBytes),
                inFlight: inFlight,
                count: count,
                done: done
            )
        }
    }

    /// Frames from the server to the client.
    static func stream(payloadBytes: Int, count: Int, loops: EventLoops) async throws -> Sample {
        let done = loops.client.next().makePromise(of: Void.self)
        return try await self.run(amount: count, loops: loops, done: done.futureResult) {
            Source(payload: ByteBuffer(repeating: 42, count: payloadBytes), count: count)
        } client: {
            Sink(count: count, done: done)
        }
    }

    private static func run(
        amount: Int,
        loops: EventLoops,
        done: EventLoopFuture<Void>,
        server: @escaping @Sendable () -> any ChannelHandler,
        client: @escaping @Sendable () -> any ChannelHandler
    ) async throws -> Sample {
        let listener = try await ServerBootstrap(group: loops.server)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(server())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        let result = try await sample(amount: amount) {
            let channel = try await ClientBootstrap(group: loops.client)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(client())
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
            try await done.get()
            channel.close(promise: nil)
        }
        try await listener.close().get()
        return result
    }
}

/// One event loop a side.
struct EventLoops: Sendable {
    let server = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let client = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}
