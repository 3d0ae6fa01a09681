import Glibc
import NIOPosix

// TLS over libssl against swift-nio-ssl and plaintext: same pipeline, cipher and sizes, in turns, in one process.
// Usage: TLSBenchmark CERTIFICATES [ROUNDS [CASE]]; the directory is one of deploy/certificates.sh, CASE a part of the
// titles of those cases that are to be run.

let arguments = CommandLine.arguments
guard arguments.count > 1 else {
    print("usage: TLSBenchmark CERTIFICATES [ROUNDS [CASE]]")
    exit(2)
}
let certificates = arguments[1]
let rounds = arguments.count > 2 ? Int(arguments[2]) ?? 5 : 5
let wanted = arguments.count > 3 ? arguments[3] : ""
let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

func hundredths(_ value: Double) -> Double {
    (value * 100).rounded() / 100
}

func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

/// Prints rate, its ratio to the first stack, and CPU, as medians of the rounds after a warm-up.
func compare(_ title: String, unit: String, _ stacks: [Stack], _ run: (Stack) throws -> Sample) throws {
    guard wanted.isEmpty || title.contains(wanted) else { return }
    var samples: [[Sample]] = stacks.map { _ in [] }
    for round in 0...rounds {
        for (index, stack) in stacks.enumerated() {
            let sample = try run(stack)
            if round > 0 { samples[index].append(sample) }
        }
    }
    print(title)
    for (index, stack) in stacks.enumerated() {
        let rate = median(samples[index].map(\.rate))
        let ratios = zip(samples[index], samples[0]).map { $0.rate / $1.rate }
        let cpu = median(samples[index].map(\.cpuMicroseconds))
        let ratio = hundredths(median(ratios))
        let range = "\(hundredths(ratios.min() ?? 0)) to \(hundredths(ratios.max() ?? 0))"
        print("  \(padded(stack.name, 12)) \(Int(rate)) \(unit)/s, \(ratio)x (\(range)), \(Int(cpu)) us CPU a \(unit)")
    }
}

let nioSSL = try Stack.nioSSL(certificates: certificates, mutual: false)
let libssl = try Stack.libssl(certificates: certificates, mutual: false, resumes: false)
for (title, chunkBytes, perFlush) in [("64 KiB", 65_536, 1), ("1 KiB", 1_024, 1), ("1 KiB, 64 a flush", 1_024, 64)] {
    try compare("bulk, writes of \(title)", unit: "MB", [nioSSL, libssl, .plaintext]) {
        try bulk(
            $0,
            bytes: chunkBytes > 1_024 ? 1 << 30 : 1 << 28,
            chunkBytes: chunkBytes,
            perFlush: perFlush,
            group: group
        )
    }
}
try compare("handshakes, the server's certificate", unit: "handshake", [nioSSL, libssl, .plaintext]) {
    try handshakes($0, count: 1_000, group: group)
}
let mutual = [
    try Stack.nioSSL(certificates: certificates, mutual: true),
    try Stack.libssl(certificates: certificates, mutual: true, resumes: false),
]
try compare("handshakes, mutual", unit: "handshake", mutual) { try handshakes($0, count: 1_000, group: group) }
var resumed = try Stack.libssl(certificates: certificates, mutual: true, resumes: true)
resumed.name = "libssl, resumed"
try compare("handshakes, mutual and full against resumed", unit: "handshake", [mutual[0], resumed]) {
    try handshakes($0, count: 1_000, group: group)
}
