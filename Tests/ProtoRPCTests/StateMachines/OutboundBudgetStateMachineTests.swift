import TestSupport
import Testing

@testable import ProtoRPC

@Suite struct OutboundBudgetStateMachineTests {
    private typealias Machine = OutboundBudgetStateMachine<String>

    @Test("G6-11 what does not fit waits in its order, however small")
    func order() {
        var machine = Machine(limit: 10)
        #expect(machine.reserve(8) == .granted)
        #expect(machine.reserve(3) == .mustWait)
        machine.wait("large", bytes: 3, ticket: 1)
        #expect(machine.reserve(1) == .mustWait)
        machine.wait("small", bytes: 1, ticket: 2)
        #expect(machine.usedBytes == 8)
        #expect(machine.release(1) == ["large"])
        #expect(machine.release(7) == ["small"])
        #expect(machine.usedBytes == 4)
    }

    @Test func aMessageLongerThanTheLimitGoesAlone() {
        var machine = Machine(limit: 10)
        #expect(machine.reserve(1) == .granted)
        #expect(machine.reserve(50) == .mustWait)
        machine.wait("long", bytes: 50, ticket: 1)
        #expect(machine.release(1) == ["long"])
        #expect(machine.reserve(1) == .mustWait)
        #expect(machine.release(50) == [])
        #expect(machine.reserve(1) == .granted)
    }

    @Test func whoLeavesLetsTheNextIn() {
        var machine = Machine(limit: 10)
        _ = machine.reserve(5)
        machine.wait("long", bytes: 9, ticket: 1)
        machine.wait("short", bytes: 2, ticket: 2)
        let (left, granted) = machine.leave(ticket: 1)
        #expect(left == "long")
        #expect(granted == ["short"])
        #expect(machine.leave(ticket: 1).left == nil)
        #expect(machine.leave(ticket: 2).left == nil, "it was granted")
    }

    @Test func aClosedConnectionHoldsNobody() {
        var machine = Machine(limit: 1)
        _ = machine.reserve(1)
        machine.wait("a", bytes: 1, ticket: 1)
        #expect(machine.close() == ["a"])
        #expect(machine.close() == [])
        #expect(machine.reserve(1) == .closed)
    }

    @Test("random events: the limit holds, nobody is forgotten", arguments: 0..<50)
    func random(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var machine = OutboundBudgetStateMachine<Int>(limit: 100)
        var onTheWay: [Int] = []
        var waiting: [UInt64: Int] = [:]
        var lastTicket: UInt64 = 0
        func granted(_ sizes: [Int]) {
            for size in sizes {
                onTheWay.append(size)
                guard let ticket = waiting.filter({ $0.value == size }).keys.min() else {
                    Issue.record("seed \(seed): granted to nobody")
                    continue
                }
                waiting[ticket] = nil
            }
        }
        for _ in 0..<500 {
            switch Int.random(in: 0...4, using: &random) {
            case 0, 1:
                // All sizes differ, so that the size names the waiter.
                let size = Int.random(in: 1...40, using: &random)
                guard !waiting.values.contains(size) else { continue }
                if machine.reserve(size) == .granted {
                    onTheWay.append(size)
                } else {
                    lastTicket += 1
                    waiting[lastTicket] = size
                    machine.wait(size, bytes: size, ticket: lastTicket)
                }
            case 2, 3:
                guard !onTheWay.isEmpty else { continue }
                granted(machine.release(onTheWay.removeFirst()))
            default:
                guard let ticket = waiting.keys.randomElement(using: &random) else { continue }
                let (left, others) = machine.leave(ticket: ticket)
                #expect(left == waiting[ticket], "seed \(seed)")
                waiting[ticket] = nil
                granted(others)
            }
            #expect(machine.usedBytes == onTheWay.reduce(0, +), "seed \(seed)")
            #expect(machine.usedBytes <= 100, "seed \(seed)")
        }
        while !onTheWay.isEmpty { granted(machine.release(onTheWay.removeFirst())) }
        #expect(waiting.isEmpty, "seed \(seed)")
    }
}
