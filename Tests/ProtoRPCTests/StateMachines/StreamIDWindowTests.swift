import TestSupport
import Testing

@testable import ProtoRPC

@Suite struct StreamIDWindowTests {
    @Test("G2-04 ids are odd and below 2^31", arguments: [UInt32(0), 2, 0x7fff_fffe, 0x8000_0000, 0x8000_0001, .max])
    func invalid(_ streamID: UInt32) {
        var window = StreamIDWindow(isStrict: false)
        #expect(window.use(streamID) == .invalid)
    }

    @Test("G5-14 an unused id is good up to 1,024 behind the highest")
    func reach() {
        var window = StreamIDWindow(isStrict: false)
        #expect(window.use(2_001) == .fresh)
        #expect(window.use(2_001 - 1_022) == .fresh)
        #expect(window.use(2_001 - 1_024) == .reused)
    }

    @Test("G5-01 in strict mode ids only rise")
    func strict() {
        var window = StreamIDWindow(isStrict: true)
        #expect(window.use(5) == .fresh)
        #expect(window.use(3) == .reused)
        #expect(window.use(5) == .reused)
        #expect(window.use(0x7fff_ffff) == .fresh)
    }

    @Test("G5-14 it agrees with a plain set of used ids", arguments: 0..<100)
    func model(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var window = StreamIDWindow(isStrict: false)
        var used: Set<UInt32> = []
        var highest: UInt32 = 0
        for _ in 0..<2_000 {
            let step = UInt32.random(in: 0...(Bool.random(using: &random) ? 40 : 1_500), using: &random)
            let above = Int.random(in: 0...3, using: &random) == 0
            let streamID = (above ? highest &+ step : highest < step ? step : highest - step) | 1
            let isFresh = streamID > highest || (highest - streamID < 1_024 && !used.contains(streamID))
            #expect(window.use(streamID) == (isFresh ? .fresh : .reused), "seed \(seed)")
            used.insert(streamID)
            highest = max(highest, streamID)
        }
    }

    @Test("G2-05 refused streams are remembered up to a bound, the oldest forgotten first")
    func refused() {
        var refused = RefusedStreams()
        for streamID in UInt32(0)..<10_000 {
            refused.insert(streamID)
            #expect(refused.contains(streamID))
        }
        let remembered = (UInt32(0)..<10_000).filter { refused.contains($0) }
        #expect(remembered.count >= RefusedStreams.limit)
        #expect(remembered.count < 2 * RefusedStreams.limit)
        #expect(remembered.last == 9_999)
        refused.remove(9_999)
        #expect(!refused.contains(9_999))
    }
}
