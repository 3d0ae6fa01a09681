import ProtoRPC

/// What is compared with what.
struct Contenders: Sendable {
    let grpc: GRPC
    let backfill: Backfill
    let loops: EventLoops

    /// All comparisons.
    func compareAll(rounds: Int) async throws {
        try await compare(
            "unary calls of 1 KiB, 64 in flight, against grpc-swift-2",
            unit: "call",
            rounds: rounds,
            [self.grpc(inFlight: 64, count: 12_800), self.async(inFlight: 64, count: 128_000)]
        )
        try await compare(
            "unary calls of 1 KiB, 64 in flight, against raw frames",
            unit: "call",
            rounds: rounds,
            [
                self.raw(count: 512_000), self.onEventLoops(count: 256_000),
                self.async(inFlight: 64, count: 128_000), self.asyncOnLoop(count: 128_000),
                self.asyncOnLoops(count: 128_000),
            ]
        )
        try await compare(
            "unary calls of 1 KiB, one at a time",
            unit: "call",
            rounds: rounds,
            [self.grpc(inFlight: 1, count: 1_000), self.async(inFlight: 1, count: 10_000)]
        )
        try await compare(
            "a server's stream of 100-byte messages",
            unit: "message",
            rounds: rounds,
            [
                self.rawStream(count: 4_000_000), self.streamOnEventLoops(count: 2_000_000),
                self.stream(count: 400_000),
            ]
        )
    }

    /// One of them alone.
    func profile(_ name: String, count: Int) async throws -> Sample {
        switch name {
        case "raw": try await self.raw(count: count).run()
        case "grpc": try await self.grpc(inFlight: 64, count: count).run()
        case "event-loop": try await self.onEventLoops(count: count).run()
        case "stream": try await self.stream(count: count).run()
        case "async-on-loop": try await self.asyncOnLoop(count: count).run()
        case "async-on-loops": try await self.asyncOnLoops(count: count).run()
        case "event-loop-stream": try await self.streamOnEventLoops(count: count).run()
        case "raw-stream": try await self.rawStream(count: count).run()
        default: try await self.async(inFlight: 64, count: count).run()
        }
    }

    private func raw(count: Int) -> Contender {
        Contender(name: "raw frames") {
            try await RawFrames.echo(payloadBytes: 1_024, inFlight: 64, count: count, loops: self.loops)
        }
    }

    private func grpc(inFlight: Int, count: Int) -> Contender {
        Contender(name: "grpc-swift-2") {
            try await self.grpc.unary(payloadBytes: 1_024, inFlight: inFlight, count: count)
        }
    }

    private func async(inFlight: Int, count: Int) -> Contender {
        Contender(name: "backfill, async") {
            try await self.backfill.unary(payloadBytes: 1_024, inFlight: inFlight, count: count)
        }
    }

    /// As `async`, with the handler's tasks on the server's event loop.
    private func asyncOnLoop(count: Int) -> Contender {
        Contender(name: "backfill, async, on the loop") {
            try await self.backfill.unary(Backfill.echoOnLoop, payloadBytes: 1_024, inFlight: 64, count: count)
        }
    }

    /// As `asyncOnLoop`, with the callers' tasks on the client's event loop.
    private func asyncOnLoops(count: Int) -> Contender {
        Contender(name: "backfill, async, on both loops") {
            try await self.backfill.unary(
                Backfill.echoOnLoop,
                payloadBytes: 1_024,
                inFlight: 64,
                count: count,
                on: EventLoopTaskExecutor(self.loops.client.next())
            )
        }
    }

    private func onEventLoops(count: Int) -> Contender {
        Contender(name: "backfill, event loops") {
            try await self.backfill.onEventLoops(payloadBytes: 1_024, inFlight: 64, count: count)
        }
    }

    private func rawStream(count: Int) -> Contender {
        Contender(name: "raw frames") {
            try await RawFrames.stream(payloadBytes: 100, count: count, loops: self.loops)
        }
    }

    private func stream(count: Int) -> Contender {
        Contender(name: "backfill, async") { try await self.backfill.serverStream(count: count) }
    }

    private func streamOnEventLoops(count: Int) -> Contender {
        Contender(name: "backfill, event loops") { try await self.backfill.serverStreamOnEventLoops(count: count) }
    }
}
