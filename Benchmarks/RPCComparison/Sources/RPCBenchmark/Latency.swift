import NIOCore
import ProtoMessages
import ProtoRPC

extension Backfill {
    /// Times of calls of 1 KiB one after the other, alone and beside a transfer of file content between the same two
    /// processes, which has its own connection.
    func compareLatencies(transferBytes: Int) async throws {
        let alone = try await self.latencies(whileTrue: Countdown(calls: 5_000))
        let transfer = Countdown(calls: .max)
        let beside = try await withThrowingTaskGroup(of: [Duration].self) { group in
            group.addTask { try await self.latencies(whileTrue: transfer) }
            try await self.transfer(bytes: transferBytes)
            transfer.end()
            return try await group.next() ?? []
        }
        print("a call of 1 KiB at a time: p50, p99, calls")
        print("  alone                          \(Self.described(alone))")
        print("  beside \(transferBytes / 1_000_000) MB                  \(Self.described(beside))")
    }

    private func latencies(whileTrue countdown: Countdown) async throws -> [Duration] {
        let request = InferUnaryRequest(body: ByteBuffer(repeating: 42, count: 1_024))
        let clock = ContinuousClock()
        var latencies: [Duration] = []
        while countdown.goesOn(after: latencies.count) {
            let begin = clock.now
            _ = try await self.client.call(Self.echo, request)
            latencies.append(clock.now - begin)
        }
        return latencies
    }

    /// Chunks of 256 KiB, four in flight, as a gateway reads a file.
    private func transfer(bytes: Int) async throws {
        let options = CallOptions(lane: .bulk)
        _ = try await inParallel(4, count: bytes / Self.chunkBytes) {
            _ = try await self.client.call(Self.read, InferHead(), options: options)
        }
    }

    private static func described(_ latencies: [Duration]) -> String {
        let sorted = latencies.sorted()
        guard !sorted.isEmpty else { return "none" }
        let times = [sorted[sorted.count / 2], sorted[sorted.count * 99 / 100]]
        let texts = times.map {
            "\(rounded(Double($0.components.attoseconds) / 1e15 + Double($0.components.seconds) * 1e3)) ms"
        }
        return "\(texts[0]), \(texts[1]), \(sorted.count)"
    }
}
