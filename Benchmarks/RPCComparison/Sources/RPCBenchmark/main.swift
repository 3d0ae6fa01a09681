import Glibc

// Calls and streams against raw frames and grpc-swift-2: one process, one connection, one event loop a side, in turns.
// Usage: RPCBenchmark [ROUNDS]
//        RPCBenchmark latency, a call beside a transfer alone
//        RPCBenchmark profile CONTENDER CALLS, one contender alone for a profiler: raw, async, async-on-loop,
//        async-on-loops, event-loop, grpc, raw-stream, event-loop-stream or stream

let arguments = CommandLine.arguments.dropFirst().map { $0 }
let loops = EventLoops()

try await GRPC.with(loops) { grpc in
    try await Backfill.with(loops) { backfill in
        let contenders = Contenders(grpc: grpc, backfill: backfill, loops: loops)
        if arguments == ["latency"] {
            try await backfill.compareLatencies(transferBytes: 200_000_000)
        } else if arguments.first == "profile", arguments.count == 3, let count = Int(arguments[2]) {
            let sample = try await contenders.profile(arguments[1], count: count)
            print("\(Int(sample.rate))/s, \(rounded(sample.cpuMicroseconds)) us CPU")
        } else {
            try await contenders.compareAll(rounds: arguments.first.flatMap { Int($0) } ?? 5)
            try await backfill.compareLatencies(transferBytes: 200_000_000)
        }
    }
}
