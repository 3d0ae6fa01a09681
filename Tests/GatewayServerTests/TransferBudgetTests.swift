import Testing

@testable import GatewayServer

struct TransferBudgetTests {
    /// Bytes that a buffer takes which grew to hold `bytes`.
    private func bufferBytes(_ bytes: Int) -> Int {
        var buffer = 1
        while buffer < bytes { buffer *= 2 }
        return buffer
    }

    @Test("transfers stay within the budget, however many there are", arguments: [1, 2, 3, 7, 8, 16, 50, 100, 128])
    func staysWithinTheBudget(_ count: Int) throws {
        let budget = TransferBudget()
        let slots = try (0..<count).map { _ in try budget.begin() }
        // What one gathers, what is on its way, and the frames of that.
        let held = slots.map { self.bufferBytes($0.chunkBytes) * (1 + 2 * $0.window) }.reduce(0, +)
        #expect(held <= TransferBudget.maximumBytes)
        #expect(slots.allSatisfy { $0.chunkBytes > 0 && (1...TransferBudget.maximumWindow).contains($0.window) })
        #expect((4_096...65_536).contains(budget.readBytes))
    }

    @Test func oneTransferHasLargeChunksAndManyOfThem() throws {
        let budget = TransferBudget()
        let slot = try budget.begin()
        #expect(slot.chunkBytes > 192 << 10 && slot.window == 4 && budget.readBytes == 64 << 10)
    }

    @Test func aShareGrowsWhenOthersEndAndTooManyAreRefused() throws {
        let budget = TransferBudget()
        let first = try budget.begin()
        let alone = first.chunkBytes
        var others = try (1..<TransferBudget.maximumTransfers).map { _ in try budget.begin() }
        #expect(first.chunkBytes < alone)
        #expect(throws: (any Error).self) { try budget.begin() }
        others.removeAll()
        #expect(first.chunkBytes == alone)
    }
}
