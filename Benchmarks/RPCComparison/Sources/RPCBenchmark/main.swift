import Glibc

// Calls and streams against raw frames and grpc-swift-2: one process, one connection, one event loop a side, in turns.
// Usage: RPCBenchmark [ROUNDS]

let rounds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 5 : 5
let loops = EventLoops()

try await GRPC.with(loops) { grpc in
    try await Backfill.with(loops) { backfill in
        try await compare(
            "unary calls of 1 KiB, 64 in flight, against grpc-swift-2",
            unit: "call",
            rounds: rounds,
            [
                Contender(name: "grpc-swift-2") {
                    try await grpc.unary(payloadBytes: 1_024, inFlight: 64, count: 12_800)
                },
                Contender(name: "backfill, async") {
                    try await backfill.unary(payloadBytes: 1_024, inFlight: 64, count: 128_000)
                },
            ]
        )
        try await compare(
            "unary calls of 1 KiB, 64 in flight, against raw frames",
            unit: "call",
            rounds: rounds,
            [
                Contender(name: "raw frames") {
                    try await RawFrames.echo(payloadBytes: 1_024, inFlight: 64, count: 512_000, loops: loops)
                },
                Contender(name: "backfill, async") {
                    try await backfill.unary(payloadBytes: 1_024, inFlight: 64, count: 128_000)
                },
            ]
        )
        try await compare(
            "unary calls of 1 KiB, one at a time",
            unit: "call",
            rounds: rounds,
            [
                Contender(name: "grpc-swift-2") {
                    try await grpc.unary(payloadBytes: 1_024, inFlight: 1, count: 1_000)
                },
                Contender(name: "backfill, async") {
                    try await backfill.unary(payloadBytes: 1_024, inFlight: 1, count: 10_000)
                },
            ]
        )
        try await compare(
            "a server's stream of 100-byte messages",
            unit: "message",
            rounds: rounds,
            [
                Contender(name: "raw frames") {
                    try await RawFrames.stream(payloadBytes: 100, count: 2_000_000, loops: loops)
                },
                Contender(name: "backfill, async") { try await backfill.serverStream(count: 200_000) },
            ]
        )
    }
}
