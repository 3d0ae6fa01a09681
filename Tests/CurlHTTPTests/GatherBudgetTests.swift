import TestSupport
import Testing

@testable import CurlHTTP

/// The budget by reference, since expectations cannot change a value.
private final class Budget {
    private var budget: GatherBudget<Int>
    var bytes: Int { self.budget.bytes }

    init(maximumBytes: Int) {
        self.budget = GatherBudget(maximumBytes: maximumBytes)
    }

    func take(_ count: Int, of id: Int) -> Bool { self.budget.take(count, of: id) }
    func end(_ id: Int, bytes: Int) -> [Int] { self.budget.end(id, bytes: bytes) }
}

struct GatherBudgetTests {
    @Test func withoutRoomAllButOnePause() {
        let budget = Budget(maximumBytes: 100)
        #expect(budget.take(60, of: 1))
        #expect(budget.take(40, of: 2))
        #expect(budget.take(10, of: 1), "one goes on")
        #expect(!budget.take(1, of: 2))
        #expect(!budget.take(1, of: 3))
        #expect(budget.take(500, of: 1), "to its end")
        #expect(budget.bytes == 610)
    }

    @Test func anEndLetsThePausedGoOn() {
        let budget = Budget(maximumBytes: 100)
        #expect(budget.take(100, of: 1))
        #expect(budget.take(10, of: 2))
        #expect(!budget.take(10, of: 1))
        #expect(budget.end(2, bytes: 10) == [1])
        #expect(budget.end(1, bytes: 100).isEmpty)
        #expect(budget.bytes == 0)
    }

    @Test func aPausedOneThatEndsIsNotResumed() {
        let budget = Budget(maximumBytes: 10)
        #expect(budget.take(20, of: 1))
        #expect(!budget.take(1, of: 2))
        #expect(!budget.take(1, of: 3))
        #expect(budget.end(2, bytes: 0).isEmpty, "there is no more room than before")
        #expect(budget.end(1, bytes: 20) == [3])
    }

    @Test func someoneIsAlwaysGoingOn() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let budget = Budget(maximumBytes: 1_000)
            var running = Set(0..<20)
            var paused: Set<Int> = []
            var taken: [Int: Int] = [:]
            while let id = running.sorted().randomElement(using: &random) {
                let count = Int.random(in: 1...300, using: &random)
                if !budget.take(count, of: id) {
                    running.remove(id)
                    paused.insert(id)
                } else {
                    taken[id, default: 0] += count
                    guard taken[id, default: 0] > 400 else { continue }
                    running.remove(id)
                    let resumed = Set(budget.end(id, bytes: taken[id, default: 0]))
                    #expect(resumed.isSubset(of: paused), "seed \(seed)")
                    paused.subtract(resumed)
                    running.formUnion(resumed)
                }
                #expect(budget.bytes <= 1_000 + 700, "seed \(seed)")
            }
            #expect(paused.isEmpty && budget.bytes == 0, "seed \(seed)")
        }
    }
}
