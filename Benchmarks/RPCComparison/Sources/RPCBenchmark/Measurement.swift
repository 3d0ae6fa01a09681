import Glibc

/// What one run of a case gave.
struct Sample {
    /// Calls or messages.
    var amount: Int
    var seconds: Double
    /// Of both sides, which share the process.
    var cpuSeconds: Double
    /// Calls of malloc and its like, of both sides; 0 without Benchmarks/count_mallocs.c.
    var allocations: UInt64

    var rate: Double { Double(self.amount) / self.seconds }
    var cpuMicroseconds: Double { self.cpuSeconds / Double(self.amount) * 1_000_000 }
    var allocationsEach: Double { Double(self.allocations) / Double(self.amount) }
}

/// Measures a piece of work.
func sample(amount: Int, _ work: () async throws -> Void) async rethrows -> Sample {
    let allocationsBefore = AllocationCounter.count
    let cpuBefore = cpuSeconds()
    let elapsed = try await ContinuousClock().measure(work)
    let (seconds, attoseconds) = elapsed.components
    return Sample(
        amount: amount,
        seconds: Double(seconds) + Double(attoseconds) / 1e18,
        cpuSeconds: cpuSeconds() - cpuBefore,
        allocations: AllocationCounter.count - allocationsBefore
    )
}

private func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let user = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6
    return user + Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) / 1e6
}

/// The counter of the preloaded library, if it is there.
enum AllocationCounter {
    private typealias Function = @convention(c) () -> UInt64
    private static let function = dlsym(nil, "backfill_malloc_count").map { unsafeBitCast($0, to: Function.self) }

    static var count: UInt64 { self.function?() ?? 0 }
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

func rounded(_ value: Double) -> String {
    let digits = value < 10 ? 100.0 : 10
    return "\((value * digits).rounded() / digits)"
}

/// One contender of a comparison.
struct Contender: Sendable {
    var name: String
    var run: @Sendable () async throws -> Sample
}

/// Runs the contenders in turns and prints rate, ratio to the first, CPU and allocations, as medians of the rounds after
/// a warm-up.
func compare(_ title: String, unit: String, rounds: Int, _ contenders: [Contender]) async throws {
    var samples: [[Sample]] = contenders.map { _ in [] }
    for round in 0...rounds {
        for (index, contender) in contenders.enumerated() {
            let sample = try await contender.run()
            if round > 0 { samples[index].append(sample) }
        }
    }
    print(title)
    for (index, contender) in contenders.enumerated() {
        let ratios = zip(samples[index], samples[0]).map { $0.rate / $1.rate }
        let name = contender.name + String(repeating: " ", count: max(0, 30 - contender.name.count))
        print(
            "  \(name) \(Int(median(samples[index].map(\.rate)))) \(unit)s/s, \(rounded(median(ratios)))x "
                + "(\(rounded(ratios.min() ?? 0)) to \(rounded(ratios.max() ?? 0))), "
                + "\(rounded(median(samples[index].map(\.cpuMicroseconds)))) us CPU and "
                + "\(rounded(median(samples[index].map(\.allocationsEach)))) allocations a \(unit)"
        )
    }
}
