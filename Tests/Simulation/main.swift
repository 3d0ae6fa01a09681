import Foundation

/// Usage: simulation [--scenario dense|long] [--seeds N] [--first SEED] [--batches N] [--lines MEAN] [--coverage] [--log]
struct Options {
    var scenario = Scenario.dense
    var seeds = 1
    var first: UInt64 = 1
    var batches = 60
    var lines = 400
    var wantsCoverage = false

    init(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let flag = rest.popFirst() {
            switch flag {
            case "--log": break
            case "--coverage": self.wantsCoverage = true
            case "--scenario":
                guard let name = rest.popFirst(), let scenario = Scenario.all.first(where: { $0.name == name }) else {
                    Self.refuse("--scenario is one of \(Scenario.all.map(\.name).joined(separator: ", "))")
                }
                self.scenario = scenario
            case "--seeds", "--first", "--batches", "--lines":
                guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { Self.refuse("\(flag) needs a number") }
                switch flag {
                case "--seeds": self.seeds = Int(value)
                case "--first": self.first = value
                case "--batches": self.batches = Int(value)
                default: self.lines = Int(value)
                }
            default: Self.refuse("\(flag) is not known")
            }
        }
    }

    static func refuse(_ text: String) -> Never {
        print("simulation: \(text)")
        exit(2)
    }
}

// Sets and dictionaries are walked in the same order in each run, or a seed would not give the same run.
if getenv("SWIFT_DETERMINISTIC_HASHING") == nil {
    setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
    Options.refuse("cannot start itself again")
}

let options = Options(CommandLine.arguments)
let coverage = Coverage()
let began = ContinuousClock.now
var failed: [UInt64] = []
for seed in options.first..<(options.first + UInt64(options.seeds)) {
    let run = Run(seed: seed, options: options, coverage: coverage)
    run.toEnd()
    print("seed \(seed): \(run.summary)")
    guard !run.violations.isEmpty else { continue }
    failed.append(seed)
    for violation in run.violations.prefix(20) { print("  \(violation)") }
    print(
        "  replay: make simulate SCENARIO=\(options.scenario.name) FIRST=\(seed) SEEDS=1 BATCHES=\(options.batches)"
            + " LINES=\(options.lines)"
    )
}
let hours = Double(coverage.milliseconds) / 3_600_000
let minutes = (ContinuousClock.now - began) / .seconds(60)
print(
    "\(coverage.batches) batches, \(coverage.lines) lines, \(coverage.crashes) crashes, \(Int(hours)) simulated hours,"
        + " \(Int(hours / minutes)) a minute; \(failed.count) of \(options.seeds) seeds failed"
)
let table = coverage.table
print(table.text)
if options.wantsCoverage, !table.missing.isEmpty {
    print("less than \(Coverage.minimum) times: \(table.missing.joined(separator: ", "))")
    exit(1)
}
exit(failed.isEmpty ? 0 : 1)
