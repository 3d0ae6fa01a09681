import NIOCore
import NIOPosix
import ProtoMessages
import TestSupport

/// Peers that break off, send nonsense or never read.
struct RudePeers: Sendable {
    let port: Int
    let ledger: Ledger

    func run(seed: UInt64) async {
        await withDiscardingTaskGroup { group in
            for number in 0..<4 {
                group.addTask {
                    var random = SeededGenerator(seed: seed + UInt64(number))
                    while !Task.isCancelled { await self.visit(&random) }
                }
            }
        }
    }

    private func visit(_ random: inout SeededGenerator) async {
        let stay = Duration.milliseconds(Int.random(in: 1...2_000, using: &random))
        let bytes = self.bytes(&random)
        do {
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                // Nothing is ever read.
                .channelOption(.autoRead, value: false)
                .connect(host: "127.0.0.1", port: self.port).get()
            self.ledger.count("rude peers")
            channel.writeAndFlush(bytes, promise: nil)
            try? await Task.sleep(for: stay)
            try await channel.close().get()
        } catch {
            // The server has thrown it out first, or takes no more.
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private func bytes(_ random: inout SeededGenerator) -> ByteBuffer {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: self.nonsense(&random)
        case 1: self.requests(large: 64)
        default: self.requests(large: 1, cutBy: Int.random(in: 1...20, using: &random))
        }
    }

    private func nonsense(_ random: inout SeededGenerator) -> ByteBuffer {
        var buffer = ByteBuffer()
        for _ in 0..<Int.random(in: 1...4_096, using: &random) {
            buffer.writeInteger(UInt8.random(in: 0...255, using: &random))
        }
        return buffer
    }

    /// Requests for long streams; the last bytes may be missing.
    private func requests(large count: UInt32, cutBy cut: Int = 0) -> ByteBuffer {
        var buffer = ByteBuffer()
        for number in 0..<count {
            let request = SoakService.Text(key: "4096", value: "100000")
            let envelope = Envelope.Request(
                service: SoakService.count.service,
                method: SoakService.count.name,
                payload: (try? request.serialized()) ?? ByteBuffer()
            )
            let data = (try? envelope.serialized()) ?? ByteBuffer()
            buffer.writeInteger(UInt32(data.readableBytes))
            buffer.writeInteger(2 * number + 1)
            buffer.writeBytes([1, 1])
            buffer.writeImmutableBuffer(data)
        }
        return buffer.getSlice(at: 0, length: max(0, buffer.readableBytes - cut)) ?? buffer
    }
}
