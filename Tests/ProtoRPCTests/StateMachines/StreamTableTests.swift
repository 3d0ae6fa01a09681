import TestSupport
import Testing

@testable import ProtoRPC

struct StreamTableTests {
    @Test("it agrees with a dictionary", arguments: 0..<50)
    func model(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var table = StreamTable<Int>()
        var model: [UInt32: Int] = [:]
        // Few ids, so that they meet; far apart, as those of streams that stay while calls come and go.
        let ids = (0..<60).map { _ in UInt32.random(in: 0..<1 << 30, using: &random) << 1 | 1 }
        for step in 0..<3_000 {
            let streamID = ids.randomElement(using: &random) ?? 1
            switch Int.random(in: 0...3, using: &random) {
            case 0, 1:
                table[streamID] = step
                model[streamID] = step
            case 2:
                #expect(table.removeValue(of: streamID) == model.removeValue(forKey: streamID))
            default:
                table[streamID] = nil
                model[streamID] = nil
            }
            #expect(table.count == model.count && table.isEmpty == model.isEmpty)
        }
        for streamID in ids { #expect(table[streamID] == model[streamID]) }
        let entries = table.entries.map { ($0.streamID, $0.value) }
        #expect(Dictionary(uniqueKeysWithValues: entries) == model)
    }

    @Test func callsThatFollowEachOtherLeaveAStreamThatStays() {
        var table = StreamTable<UInt32>()
        table[1] = 1
        for streamID in stride(from: UInt32(3), to: 200_001, by: 2) {
            table[streamID] = streamID
            if streamID > 130 { #expect(table.removeValue(of: streamID - 128) == streamID - 128) }
        }
        #expect(table[1] == 1)
        #expect(table.count == 65)
    }

    @Test func whatIsNotThereIsNotFound() {
        var table = StreamTable<Int>()
        #expect(table[1] == nil && table.removeValue(of: 1) == nil)
        table[3] = 1
        #expect(table[0] == nil && table[1] == nil && table.removeValue(of: 0) == nil)
    }
}
