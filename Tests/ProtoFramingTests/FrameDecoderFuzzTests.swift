import NIOCore
import ProtoFraming
import TestSupport
import Testing

@Suite struct FrameDecoderFuzzTests {
    private static let seeds = (0..<200).map { UInt64($0) }

    @Test("random bytes never crash it and it holds no more than has arrived", arguments: seeds)
    func randomBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var decoder = FrameDecoder(limits: FrameLimits(maximumDataBytes: 1 << 10, maximumDiscardedBytes: 1 << 14))
        var arrived = 0
        for _ in 0..<200 {
            let piece = Self.piece(&random)
            arrived += piece.readableBytes
            decoder.append(piece)
            do {
                while let event = try decoder.next() {
                    if case .frame(let frame) = event {
                        #expect(frame.data.readableBytes <= 1 << 10, "seed \(seed)")
                    }
                }
            } catch {
                #expect(decoder.bufferedBytes <= arrived, "seed \(seed)")
                return
            }
            #expect(decoder.bufferedBytes <= arrived, "seed \(seed)")
        }
    }

    @Test("frames cut at random points come out whole and in order", arguments: seeds)
    func randomCuts(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let limits = FrameLimits(maximumDataBytes: 300, maximumDiscardedBytes: 1_000)
        var wire = ByteBuffer()
        var expected: [FrameDecoder.Event] = []
        for _ in 0..<40 {
            let frame = Frame(
                // Many messages of few streams, so that there are runs.
                streamID: Bool.random(using: &random) ? 1 : random.next(),
                type: Bool.random(using: &random)
                    ? .data : FrameType(rawValue: UInt8.random(in: 0...5, using: &random)),
                flags: Int.random(in: 0..<4, using: &random) > 0 ? [] : FrameFlags(rawValue: random.next()),
                data: ByteBuffer(bytes: (0..<Int.random(in: 0...400, using: &random)).map { UInt8($0 & 0xff) })
            )
            frame.write(into: &wire)
            guard frame.type.isKnown else { continue }
            let length = frame.data.readableBytes
            if length > 300 {
                let header = FrameHeader(
                    length: UInt32(length),
                    streamID: frame.streamID,
                    type: frame.type,
                    flags: frame.flags
                )
                expected.append(.oversized(header))
            } else {
                expected.append(.frame(frame))
            }
        }
        var byRuns = FrameDecoder(limits: limits)
        var decoder = FrameDecoder(limits: limits)
        var events: [FrameDecoder.Event] = []
        var eventsByRuns: [FrameDecoder.Event] = []
        while wire.readableBytes > 0 {
            let count = min(wire.readableBytes, Int.random(in: 1...2_000, using: &random))
            let piece = wire.cut(count)
            events += try decoder.events(after: piece)
            eventsByRuns += try byRuns.events(after: piece) { Int.random(in: 0...$0.count, using: &random) }
            #expect(byRuns.bufferedBytes == decoder.bufferedBytes, "seed \(seed)")
            #expect(byRuns.headersRead == decoder.headersRead, "seed \(seed)")
            #expect(byRuns.isInsideHeader == decoder.isInsideHeader, "seed \(seed)")
        }
        #expect(events == expected, "seed \(seed)")
        #expect(eventsByRuns == expected, "seed \(seed)")
        #expect(decoder.bufferedBytes == 0, "seed \(seed)")
    }

    /// Noise, or a header with a random length and some of its data.
    private static func piece(_ random: inout SeededGenerator) -> ByteBuffer {
        var piece = ByteBuffer()
        if Bool.random(using: &random) {
            let header = FrameHeader(
                length: UInt32.random(in: 0...(1 << 12), using: &random),
                streamID: random.next(),
                type: FrameType(rawValue: UInt8.random(in: 0...4, using: &random)),
                flags: FrameFlags(rawValue: random.next())
            )
            header.write(into: &piece)
        }
        for _ in 0..<Int.random(in: 0...64, using: &random) {
            piece.writeInteger(UInt8(truncatingIfNeeded: random.next() >> 56) & 0x0f)
        }
        return piece
    }
}
