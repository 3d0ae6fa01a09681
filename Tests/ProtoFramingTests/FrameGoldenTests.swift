import NIOCore
import ProtoFraming
import Testing

/// Bytes of each kind of frame, written by hand from the protocol's text.
@Suite struct FrameGoldenTests {
    static let goldens: [(name: String, hex: String, frame: Frame)] = [
        (
            "unary request", "00000003 00000001 01 00  0a0161",
            Frame(streamID: 1, type: .request, data: ByteBuffer(bytes: [0x0a, 0x01, 0x61]))
        ),
        (
            "server stream request", "00000001 00000003 01 01  61",
            Frame(streamID: 3, type: .request, flags: .remoteClosed, data: ByteBuffer(bytes: [0x61]))
        ),
        (
            "client stream request", "00000000 00000005 01 02",
            Frame(streamID: 5, type: .request, flags: .remoteOpen)
        ),
        (
            "G5-12 stream request without a first message", "00000000 00000007 01 06",
            Frame(streamID: 7, type: .request, flags: [.remoteOpen, .noData])
        ),
        (
            "response", "00000002 7fffffff 02 00  1200",
            Frame(streamID: 0x7fff_ffff, type: .response, data: ByteBuffer(bytes: [0x12, 0x00]))
        ),
        (
            "data", "00000002 00000009 03 00  beef",
            Frame(streamID: 9, type: .data, data: ByteBuffer(bytes: [0xbe, 0xef]))
        ),
        ("G2-06 empty message", "00000000 0000000b 03 00", Frame(streamID: 11, type: .data)),
        (
            "G4-01 half close", "00000000 0000000d 03 05",
            Frame(streamID: 13, type: .data, flags: [.remoteClosed, .noData])
        ),
    ]

    @Test("G2-01 G2-05 G2-06 G2-07 frames have the protocol's bytes", arguments: goldens.indices)
    func encodes(_ index: Int) {
        let golden = Self.goldens[index]
        #expect(encoded(golden.frame) == bytes(golden.hex), "\(golden.name)")
    }

    @Test("G2-01 the protocol's bytes become frames", arguments: goldens.indices)
    func decodes(_ index: Int) throws {
        let golden = Self.goldens[index]
        var decoder = FrameDecoder()
        #expect(try decoder.events(after: bytes(golden.hex)) == [.frame(golden.frame)], "\(golden.name)")
        #expect(decoder.bufferedBytes == 0)
    }

    @Test("G2-01 every bit of a header survives encoding and decoding")
    func headerBits() {
        for bit in 0..<(FrameHeader.size * 8) {
            var raw = [UInt8](repeating: 0, count: FrameHeader.size)
            raw[bit / 8] = 1 << UInt8(bit % 8)
            var input = ByteBuffer(bytes: raw)
            guard let header = FrameHeader(reading: &input) else {
                Issue.record("bit \(bit): no header")
                continue
            }
            var output = ByteBuffer()
            header.write(into: &output)
            #expect(output == ByteBuffer(bytes: raw), "bit \(bit)")
        }
    }
}
