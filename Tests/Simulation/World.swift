import DequeModule
import SchedulerService
import TestSupport

/// Time, chance and the order of everything that happens in one simulated run.
///
/// One thread runs it all: a process is a task executor whose jobs the world picks, and time moves only when no process
/// has anything to do. The same seed gives the same run.
final class World: @unchecked Sendable {
    // Guard: only the main thread touches it.

    /// Milliseconds since the run began.
    private(set) var now: Int64 = 0
    /// What went wrong and how often; also says which faults may happen.
    let coverage: Coverage
    /// While false nothing goes wrong any more.
    var hasFaults = true
    /// When something went wrong last that may hold up a scheduler.
    private var disturbedAt: Int64 = 0
    private var rareCases: Set<RareCase> = []
    private var generator: SeededGenerator
    private var events = EventQueue()
    /// Processes that have something to do, though they may be paused.
    private var busy: [SimulatedProcess] = []
    /// Changes with everything that is done: two runs of one seed must agree.
    private(set) var fingerprint: UInt64 = 0

    init(seed: UInt64, coverage: Coverage) {
        self.generator = SeededGenerator(seed: seed)
        self.coverage = coverage
        for rareCase in RareCase.allCases where self.chance(0.4) { self.rareCases.insert(rareCase) }
    }

    func random() -> UInt64 { self.generator.next() }

    func random(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self.generator) }

    /// Whether something without consequence for safety happens, such as a client's wish.
    func chance(_ probability: Double) -> Bool {
        Double(self.generator.next() >> 11) * 0x1p-53 < probability
    }

    /// Whether a fault happens now.
    func fault(_ fault: Fault, _ probability: Double) -> Bool {
        guard self.hasFaults, self.chance(probability) else { return false }
        self.coverage.hit(fault)
        self.isDisturbed()
        return true
    }

    /// Whether a rare case occurs now: each does in a part of all runs, and there often.
    func occurs(_ rareCase: RareCase) -> Bool {
        guard self.hasFaults, self.rareCases.contains(rareCase), self.chance(0.1) else { return false }
        self.coverage.hit(rareCase)
        self.isDisturbed()
        return true
    }

    /// Something that holds up a scheduler begins, or ends.
    func isDisturbed() { self.disturbedAt = self.now }

    /// Whether nothing was held up since then.
    func wasQuiet(since time: Int64) -> Bool { self.disturbedAt < time }

    /// The process has something to do.
    func isBusy(_ process: SimulatedProcess) { self.busy.append(process) }

    /// Does something later.
    func after(_ milliseconds: Int64, _ body: @escaping () -> Void) {
        self.events.push(at: self.now + max(milliseconds, 0), body)
    }

    /// Runs until `time`, or until `isDone` says so.
    func run(until time: Int64, _ isDone: () -> Bool = { false }) {
        while !isDone() {
            if self.runOne() { continue }
            guard let next = self.events.nextTime, next <= time else {
                self.now = max(self.now, time)
                return
            }
            self.now = max(self.now, next)
            self.mix(UInt64(bitPattern: self.now))
            self.events.pop()()
        }
    }

    private func runOne() -> Bool {
        // Tasks of dead processes unwind first.
        var index = self.busy.firstIndex { $0.isDead && $0.isReady }
        if index == nil {
            let ready = self.busy.reduce(into: 0) { $0 += $1.isReady ? 1 : 0 }
            guard ready > 0 else { return false }
            var rest = ready == 1 ? 0 : Int(self.generator.next() % UInt64(ready))
            index = self.busy.firstIndex { process in
                guard process.isReady else { return false }
                rest -= 1
                return rest < 0
            }
        }
        guard let index else { return false }
        let process = self.busy[index]
        process.runOne()
        // It may have run the world, so it may be elsewhere now.
        if process.becomesIdle(), let index = self.busy.firstIndex(where: { $0 === process }) {
            self.busy.remove(at: index)
        }
        return true
    }

    private func mix(_ value: UInt64) {
        self.fingerprint = (self.fingerprint ^ value) &* 0x100_0000_01B3
    }
}

/// What is to happen when: a binary heap, in the order of time and then of scheduling.
private struct EventQueue {
    private var heap: [(time: Int64, number: UInt64, body: () -> Void)] = []
    private var count: UInt64 = 0

    var nextTime: Int64? { self.heap.first?.time }

    mutating func push(at time: Int64, _ body: @escaping () -> Void) {
        self.count += 1
        self.heap.append((time, self.count, body))
        var child = self.heap.count - 1
        while child > 0, self.isBefore(child, (child - 1) / 2) {
            self.heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> () -> Void {
        self.heap.swapAt(0, self.heap.count - 1)
        let first = self.heap.removeLast()
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < self.heap.count else { break }
            let smaller = left + 1 < self.heap.count && self.isBefore(left + 1, left) ? left + 1 : left
            guard self.isBefore(smaller, parent) else { break }
            self.heap.swapAt(parent, smaller)
            parent = smaller
        }
        return first.body
    }

    private func isBefore(_ first: Int, _ second: Int) -> Bool {
        let (a, b) = (self.heap[first], self.heap[second])
        return a.time == b.time ? a.number < b.number : a.time < b.time
    }
}
